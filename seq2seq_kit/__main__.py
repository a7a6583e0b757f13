"""`python -m seq2seq_kit`."""

import sys

from seq2seq_kit.cli.main import main

sys.exit(main())

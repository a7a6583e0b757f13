"""`python -m seq2seq_kit`."""

import sys

from seq2seq_kit.cli import main

sys.exit(main())

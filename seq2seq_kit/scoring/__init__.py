"""Many files by one trained model: each becomes a file of answers, in processes, in constant memory, and goes on after a kill."""

from seq2seq_kit.scoring.result import Scored, ScoreResult
from seq2seq_kit.scoring.run import score_files
from seq2seq_kit.scoring.scorer import Scorer

__all__ = ["ScoreResult", "Scored", "Scorer", "score_files"]

"""Backtests: how a recipe would have done at past moments. `backtest`, its result and reporter."""

from seq2seq_kit.backtests.result import BacktestResult
from seq2seq_kit.backtests.run import backtest
from seq2seq_kit.backtests.status import BacktestReporter

__all__ = ["BacktestReporter", "BacktestResult", "backtest"]

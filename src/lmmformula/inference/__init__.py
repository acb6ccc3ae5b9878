"""Tests, intervals and comparisons: functions of results."""

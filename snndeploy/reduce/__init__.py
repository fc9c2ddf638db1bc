"""Redundant channels, found and removed in integers."""

"""Supervised fine-tuning, distillation and direct preference optimization: one trainer."""

"""The embedded engine: OpenVINO GenAI in a process of its own, and the scheduler that Triton hosts too."""

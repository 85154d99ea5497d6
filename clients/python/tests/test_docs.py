import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class DocsTest(unittest.TestCase):
    def test_the_page_shows_the_example(self):
        page = (ROOT / "docs/python.md").read_text()
        shown = re.search(r"```python\n(import .*?)```", page, re.DOTALL)[1]
        self.assertIn(shown, (ROOT / "clients/python/examples/fastapi_app.py").read_text())

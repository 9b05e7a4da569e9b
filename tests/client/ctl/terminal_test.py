# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""`sluicectl top` on a real terminal: draws, ends with q and Ctrl-C, restores."""

import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import termios
import unittest

HARNESS = pathlib.Path(sys.argv.pop(1))
TIME_LIMIT_S = 20
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class TopTest(unittest.TestCase):
    def setUp(self):
        self.ours, theirs = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.addCleanup(os.close, theirs)
        self.mode = termios.tcgetattr(self.ours)
        self.process = subprocess.Popen(
            [HARNESS], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.text = b""
        self.read_until(b"sequence ")

    def read_until(self, wanted: bytes):
        while wanted not in self.text:
            ready, _, _ = select.select([self.ours], [], [], TIME_LIMIT_S)
            self.assertTrue(ready, f"no {wanted!r} in {self.text!r}")
            self.text += os.read(self.ours, 65536)

    def check_restored(self):
        self.read_until(LEAVE)
        self.assertEqual(self.process.wait(TIME_LIMIT_S), 0)
        self.assertLess(self.text.index(ENTER), self.text.index(LEAVE))
        self.assertEqual(termios.tcgetattr(self.ours), self.mode)

    def test_q_ends_it(self):
        self.assertIn(b"[", self.text)
        self.assertFalse(termios.tcgetattr(self.ours)[3] & termios.ECHO)
        os.write(self.ours, b"q")
        self.check_restored()

    def test_ctrl_c_ends_it(self):
        self.assertNotEqual(termios.tcgetattr(self.ours), self.mode)
        self.process.send_signal(signal.SIGINT)
        self.check_restored()


if __name__ == "__main__":
    unittest.main()

"""The decisions: pure, with the moment, new ids and what was proved passed in."""

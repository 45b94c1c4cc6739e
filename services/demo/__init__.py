"""
The walk-through: each behaviour of the product, shown on the running system from outside.

Every step is asserted twice: on the HTTP answer, and on the record that an independent consumer
reads. The first step that doesn't show what it must ends the walk-through.
"""

#!/bin/sh -e
echo "post of the container action: $STATE_word"

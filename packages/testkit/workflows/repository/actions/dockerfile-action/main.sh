#!/bin/sh -e
echo "arguments: $*"
echo "input: $INPUT_WHO"
echo "file of the context: $(cat /copied.txt)"
echo "greeting=hello $INPUT_WHO" >> "$GITHUB_OUTPUT"
echo "word=kept" >> "$GITHUB_STATE"

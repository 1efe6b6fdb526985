// The JSON oracle says how API servers and webhooks read a text: one line of JSON in, one line out, in order.
//
// It is the decoder of k8s.io/apimachinery (pkg/runtime/serializer/json), without a type to read into: keys as they are
// spelt, whole numbers as such.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	kjson "sigs.k8s.io/json"

	"podgate.dev/tests/upstream/lines"
)

// question is one line of the input. The text is in base 64, as it may be no text at all.
type question struct {
	Text []byte `json:"text"`
}

// answer is one line of the output: the value, or why there is none.
type answer struct {
	Value any    `json:"value"`
	Error string `json:"error,omitempty"`
}

func main() {
	if err := lines.Answer(os.Stdin, os.Stdout, read); err != nil {
		fmt.Fprintln(os.Stderr, "json-oracle:", err)
		os.Exit(1)
	}
}

func read(line []byte) answer {
	var question question
	if err := json.Unmarshal(line, &question); err != nil {
		return answer{Error: err.Error()}
	}
	var value any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(question.Text, &value); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Value: value}
}

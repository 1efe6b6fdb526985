// The YAML oracle says how kubectl reads a text: one line of JSON in, one line out, in order.
//
// kubectl divides the text into documents before any YAML is parsed, decodes what starts as JSON with the decoder of
// JSON, and turns the rest into JSON with sigs.k8s.io/yaml (k8s.io/apimachinery, pkg/util/yaml).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"podgate.dev/tests/upstream/lines"
)

// question is one line of the input.
type question struct {
	Text string `json:"text"`
}

// answer is one line of the output: the documents up to the first that cannot be read, and why it cannot.
type answer struct {
	Documents []json.RawMessage `json:"documents"`
	Error     string            `json:"error,omitempty"`
}

func main() {
	if err := lines.Answer(os.Stdin, os.Stdout, read); err != nil {
		fmt.Fprintln(os.Stderr, "yaml-oracle:", err)
		os.Exit(1)
	}
}

func read(line []byte) answer {
	var question question
	if err := json.Unmarshal(line, &question); err != nil {
		return answer{Error: err.Error()}
	}
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(question.Text), 4096)
	documents := []json.RawMessage{}
	for {
		var document json.RawMessage
		err := decode(decoder, &document)
		if errors.Is(err, io.EOF) {
			return answer{Documents: documents}
		}
		if err != nil {
			return answer{Documents: documents, Error: err.Error()}
		}
		documents = append(documents, document)
	}
}

// decode is the decoder's, with a panic of go-yaml as an error: kubectl reads nothing then, either.
func decode(decoder *utilyaml.YAMLOrJSONDecoder, document *json.RawMessage) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return decoder.Decode(document)
}

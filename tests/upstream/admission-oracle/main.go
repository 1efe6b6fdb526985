// The admission oracle answers reviews as upstream's Pod Security webhook does: one line of JSON in, one line out, in
// order.
//
// A line holds everything an answer hangs on, so that no line depends on another: the configuration, the Namespaces
// with their labels, the pods that are there, and the review. When there are no more lines, one last line holds what
// upstream's own counters have counted over all of them.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"k8s.io/klog/v2"

	"podgate.dev/tests/upstream/lines"
)

// question is one line of the input.
type question struct {
	Config     json.RawMessage              `json:"config"`
	Namespaces map[string]map[string]string `json:"namespaces"`
	Pods       map[string][]json.RawMessage `json:"pods"`
	Review     json.RawMessage              `json:"review"`
}

func main() {
	// Upstream logs what it refuses; whoever compares the answers knows it from them.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "admission-oracle:", err)
		os.Exit(1)
	}
}

func run(input io.Reader, output io.Writer) error {
	oracle, err := newOracle()
	if err != nil {
		return err
	}
	if err := lines.Answer(input, output, oracle.answer); err != nil {
		return err
	}
	counted, err := oracle.counted()
	if err != nil {
		return err
	}
	return json.NewEncoder(output).Encode(map[string]any{"counted": counted})
}

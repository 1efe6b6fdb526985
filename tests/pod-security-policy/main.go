// The PodSecurityPolicy oracle says what the admission plugin of Kubernetes 1.24, the last that had one, says of a pod:
// one line of JSON in, one line out, in order.
//
// A line that names no policy is about that of the line before, so that many pods are cheap to judge by one policy.
// With one policy (`psp`) its provider is asked as the plugin asks it, and its errors are told one by one. With several
// (`psps`, and `rbac`: Roles, ClusterRoles and their bindings) the plugin itself is asked, and chooses among those that
// the pod's service account may `use`.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// question is one line of the input.
type question struct {
	PSP  json.RawMessage   `json:"psp"`
	PSPs []json.RawMessage `json:"psps"`
	RBAC []json.RawMessage `json:"rbac"`
	// Without a pod, nothing is said but what is wrong with the policy.
	Pod json.RawMessage `json:"pod"`
}

// answer is one line of the output.
type answer struct {
	Allowed bool `json:"allowed"`
	// Why the policy refuses it, as field and detail.
	Errors []string `json:"errors,omitempty"`
	// The pod that was admitted, with the defaults of the API.
	Mutated json.RawMessage `json:"mutated,omitempty"`
	// Why the API server would not store that pod, but for ephemeral containers, which it never takes with a new one.
	Invalid []string `json:"invalid,omitempty"`
	// Whether it would not store the pod as it was sent, either.
	WasInvalid bool `json:"wasInvalid,omitempty"`
	// The policy that admitted it, of several.
	By string `json:"by,omitempty"`
	// What is wrong with the policy, in the words of the API server. It is asked all the same: what is stored
	// already is not validated again.
	InvalidPolicy []string `json:"invalidPolicy,omitempty"`
	// Why there is no verdict.
	Error string `json:"error,omitempty"`
}

// judge is what a pod is put to.
type judge interface {
	judge(pod json.RawMessage) (answer, error)
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pod-security-policy:", err)
		os.Exit(1)
	}
}

func run(input io.Reader, output io.Writer) error {
	questions := bufio.NewReaderSize(input, 1<<20)
	answers := bufio.NewWriterSize(output, 1<<20)
	encoder := json.NewEncoder(answers)
	var current judge
	for {
		line, err := questions.ReadBytes('\n')
		if len(line) > 0 {
			var said answer
			said, current = answerTo(line, current)
			if err := encoder.Encode(said); err != nil {
				return err
			}
		}
		// Whoever asks a line at a time gets each answer before the next question.
		if questions.Buffered() == 0 {
			if err := answers.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return answers.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// answerTo answers a line, and returns what the lines after it are put to.
func answerTo(line []byte, current judge) (answer, judge) {
	var question question
	if err := json.Unmarshal(line, &question); err != nil {
		return answer{Error: err.Error()}, current
	}
	var invalid []string
	var err error
	switch {
	case question.PSP != nil:
		current, invalid, err = newProvider(question.PSP)
	case question.PSPs != nil:
		current, invalid, err = newPlugin(question.PSPs, question.RBAC)
	}
	if err != nil {
		return answer{Error: err.Error()}, nil
	}
	if current == nil {
		return answer{Error: "no policy yet"}, nil
	}
	if question.Pod == nil {
		return answer{InvalidPolicy: invalid}, current
	}
	said, err := current.judge(question.Pod)
	if err != nil {
		return answer{Error: err.Error()}, current
	}
	said.InvalidPolicy = invalid
	return said, current
}

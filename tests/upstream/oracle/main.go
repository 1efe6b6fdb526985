// The oracle says what upstream's own evaluator says of a pod: one line of JSON in, one line out, in order.
//
// A line that names no pod is about the pod of the line before, so that one pod is cheap to judge by many standards.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"podgate.dev/tests/upstream/lines"
)

// question is one line of the input.
type question struct {
	Pod     json.RawMessage `json:"pod"`
	Level   string          `json:"level"`
	Version string          `json:"version"`
}

// answer is one line of the output: a verdict, or why there is none.
type answer struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	Detail  string `json:"detail"`
	Error   string `json:"error,omitempty"`
}

type oracle struct {
	decoder   runtime.Decoder
	evaluator policy.Evaluator
	// The pod of the last line that had one, or why it could not be read.
	pod      *corev1.Pod
	podError error
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func run(input io.Reader, output io.Writer) error {
	oracle, err := newOracle()
	if err != nil {
		return err
	}
	return lines.Answer(input, output, oracle.answer)
}

func newOracle() (*oracle, error) {
	// The scheme holds the group of pods, as that of upstream's webhook does: the reading of a pod is the same.
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	return &oracle{
		decoder:   serializer.NewCodecFactory(scheme).UniversalDeserializer(),
		evaluator: evaluator,
		podError:  errors.New("no pod yet"),
	}, nil
}

func (o *oracle) answer(line []byte) answer {
	var question question
	if err := json.Unmarshal(line, &question); err != nil {
		return answer{Error: err.Error()}
	}
	if question.Pod != nil {
		o.pod, o.podError = o.decode(question.Pod)
	}
	if o.podError != nil {
		return answer{Error: o.podError.Error()}
	}
	level, err := api.ParseLevel(question.Level)
	if err != nil {
		return answer{Error: err.Error()}
	}
	version, err := api.ParseVersion(question.Version)
	if err != nil {
		return answer{Error: err.Error()}
	}
	standard := api.LevelVersion{Level: level, Version: version}
	result := policy.AggregateCheckResults(o.evaluator.EvaluatePod(standard, &o.pod.ObjectMeta, &o.pod.Spec))
	if result.Allowed {
		return answer{Allowed: true}
	}
	return answer{Reason: result.ForbiddenReason(), Detail: result.ForbiddenDetail()}
}

// decode reads a pod as upstream's webhook reads the object of a review.
func (o *oracle) decode(raw []byte) (*corev1.Pod, error) {
	kind := corev1.SchemeGroupVersion.WithKind("Pod")
	object, _, err := o.decoder.Decode(raw, &kind, nil)
	if err != nil {
		return nil, err
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("not a pod: %T", object)
	}
	return pod, nil
}

// One line of the input to one line of the output, by upstream's own admission code.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/pod-security-admission/admission"
	"k8s.io/pod-security-admission/admission/api/load"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// answer is one line of the output: one of the first four, and what was counted on the way.
type answer struct {
	// Response is upstream's.
	Response *admissionv1.AdmissionResponse `json:"response,omitempty"`
	// ConfigError says why upstream would not start with the configuration.
	ConfigError string `json:"configError,omitempty"`
	// ReviewError says why there is no review to answer; upstream answers HTTP 400.
	ReviewError string `json:"reviewError,omitempty"`
	// Panic says what upstream panicked with; it closes the connection without an answer.
	Panic string `json:"panic,omitempty"`

	Metrics []call `json:"metrics,omitempty"`
}

// oracle holds what upstream makes once, before any review.
type oracle struct {
	decoder   runtime.Decoder
	evaluator policy.Evaluator
	metrics   *counters
}

func newOracle() (*oracle, error) {
	// That of upstream's webhook.
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(appsv1.AddToScheme(scheme))
	utilruntime.Must(batchv1.AddToScheme(scheme))
	utilruntime.Must(admissionv1.AddToScheme(scheme))
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	return &oracle{
		decoder:   serializer.NewCodecFactory(scheme).UniversalDeserializer(),
		evaluator: evaluator,
		metrics:   newCounters(),
	}, nil
}

func (o *oracle) answer(line []byte) (answered answer) {
	notes := &recorder{counters: o.metrics}
	defer func() {
		if problem := recover(); problem != nil {
			answered = answer{Panic: fmt.Sprint(problem)}
		}
		answered.Metrics = notes.calls
	}()
	var question question
	if err := json.Unmarshal(line, &question); err != nil {
		return answer{ReviewError: err.Error()}
	}
	delegate, err := o.delegate(&question, notes)
	if err != nil {
		return answer{ConfigError: err.Error()}
	}
	request, err := o.request(question.Review)
	if err != nil {
		return answer{ReviewError: err.Error()}
	}
	response := delegate.Validate(context.Background(), api.RequestAttributes(request, o.decoder))
	response.UID = request.UID
	return answer{Response: response}
}

// delegate is what upstream's webhook judges by.
func (o *oracle) delegate(question *question, notes *recorder) (*admission.Admission, error) {
	configuration, err := load.LoadFromData(question.Config)
	if err != nil {
		return nil, err
	}
	delegate := &admission.Admission{
		Configuration:    configuration,
		Evaluator:        o.evaluator,
		Metrics:          notes,
		PodSpecExtractor: admission.DefaultPodSpecExtractor{},
		PodLister:        o.pods(question.Pods),
		NamespaceGetter:  namespaces(question.Namespaces),
	}
	if err := delegate.CompleteConfiguration(); err != nil {
		return nil, err
	}
	return delegate, delegate.ValidateConfiguration()
}

// request reads a review as upstream's webhook reads the body of a request.
func (o *oracle) request(review json.RawMessage) (*admissionv1.AdmissionRequest, error) {
	expected := admissionv1.SchemeGroupVersion.WithKind("AdmissionReview")
	object, found, err := o.decoder.Decode(review, &expected, nil)
	if err != nil {
		return nil, err
	}
	read, ok := object.(*admissionv1.AdmissionReview)
	if !ok {
		return nil, fmt.Errorf("unexpected kind: %s", found)
	}
	if read.Request == nil {
		return nil, errors.New("no request")
	}
	return read.Request, nil
}

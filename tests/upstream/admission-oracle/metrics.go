// What upstream counts: each call to its recorder, and in the end its own counters.

package main

import (
	"bytes"

	"github.com/prometheus/common/expfmt"
	compbasemetrics "k8s.io/component-base/metrics"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/metrics"
)

// call is one call of upstream's to its recorder: what is counted, with its labels as they were given.
type call struct {
	Counter     string `json:"counter"`
	Decision    string `json:"decision,omitempty"`
	Policy      string `json:"policy,omitempty"`
	Mode        string `json:"mode,omitempty"`
	Fatal       bool   `json:"fatal,omitempty"`
	Resource    string `json:"resource"`
	Operation   string `json:"operation"`
	Subresource string `json:"subresource"`
}

// recorder notes the calls for one review, and passes them on to upstream's counters.
type recorder struct {
	counters *counters
	calls    []call
}

func (r *recorder) note(of call, attributes api.Attributes) {
	of.Resource = attributes.GetResource().GroupResource().String()
	of.Operation = string(attributes.GetOperation())
	of.Subresource = attributes.GetSubresource()
	r.calls = append(r.calls, of)
}

func (r *recorder) RecordEvaluation(decision metrics.Decision, policy api.LevelVersion, mode metrics.Mode, attributes api.Attributes) {
	r.note(call{Counter: "evaluations", Decision: string(decision), Policy: policy.String(), Mode: string(mode)}, attributes)
	r.counters.recorder.RecordEvaluation(decision, policy, mode, attributes)
}

func (r *recorder) RecordExemption(attributes api.Attributes) {
	r.note(call{Counter: "exemptions"}, attributes)
	r.counters.recorder.RecordExemption(attributes)
}

func (r *recorder) RecordError(fatal bool, attributes api.Attributes) {
	r.note(call{Counter: "errors", Fatal: fatal}, attributes)
	r.counters.recorder.RecordError(fatal, attributes)
}

// counters are upstream's own, with the registry that its webhook shows them by.
type counters struct {
	recorder *metrics.PrometheusRecorder
	registry compbasemetrics.KubeRegistry
}

func newCounters() *counters {
	counters := &counters{
		recorder: metrics.NewPrometheusRecorder(api.GetAPIVersion()),
		registry: compbasemetrics.NewKubeRegistry(),
	}
	counters.recorder.MustRegister(counters.registry.MustRegister)
	return counters
}

// counted is what upstream's /metrics shows.
func (o *oracle) counted() (string, error) {
	families, err := o.metrics.registry.Gather()
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			return "", err
		}
	}
	return text.String(), nil
}

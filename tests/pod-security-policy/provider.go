package main

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/security/podsecuritypolicy"
)

// provider is one policy that everybody may use.
type provider struct {
	made podsecuritypolicy.Provider
	// Why none could be made: then nothing is admitted.
	err error
}

func newProvider(raw json.RawMessage) (judge, []string, error) {
	policy, invalid, err := decodePolicy(raw)
	if err != nil {
		return nil, nil, err
	}
	made, err := podsecuritypolicy.NewSimpleProvider(policy, "", podsecuritypolicy.NewSimpleStrategyFactory())
	return &provider{made: made, err: err}, invalid, nil
}

// judge does what the plugin does with each policy (assignSecurityContext in its admission.go).
func (p *provider) judge(raw json.RawMessage) (answer, error) {
	pod, err := decodePod(raw)
	if err != nil {
		return answer{}, err
	}
	if p.err != nil {
		return answer{Errors: []string{"no providers available to validate pod request: " + p.err.Error()}}, nil
	}
	wasInvalid := len(invalid(pod)) > 0
	var faults field.ErrorList
	if err := p.made.MutatePod(pod); err != nil {
		faults = append(faults, field.Invalid(field.NewPath(""), pod, err.Error()))
	}
	faults = append(faults, p.made.ValidatePod(pod)...)
	if len(faults) > 0 {
		return answer{Errors: texts(faults), WasInvalid: wasInvalid}, nil
	}
	said, err := admitted(pod)
	said.WasInvalid = wasInvalid
	return said, err
}

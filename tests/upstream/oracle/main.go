package main

import (
	_ "k8s.io/api/core/v1"
	_ "k8s.io/pod-security-admission/api"
	_ "k8s.io/pod-security-admission/policy"
	_ "k8s.io/pod-security-admission/test"
)

func main() {}

// The webhook client sends reviews as kube-apiserver does: with its own client for webhooks, its connections, and an
// endpoint of the Service looked up for each new connection.
//
// It asks whoever listens at -endpoints for an endpoint, and sends a review in bursts until standard input ends. With
// -burst it waits for that end and then sends so many at once. Then it prints how many were answered, why others were
// not, and how long the slowest took, as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/rest"
)

// timeout is timeoutSeconds of the webhook.
const timeout = 10 * time.Second

// pause lies between two bursts.
const pause = 50 * time.Millisecond

// bursts are sent in turn.
var bursts = []int{1, 4, 2, 8, 3, 1, 20}

// endpoints is the Service: whoever listens at its address says an endpoint a connection.
type endpoints string

func (e endpoints) ResolveEndpoint(_, _ string, _ int32) (*url.URL, error) {
	connection, err := net.Dial("tcp", string(e))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	endpoint, err := io.ReadAll(connection)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "https", Host: strings.TrimSpace(string(endpoint))}, nil
}

// endpoint is a Service with one that never changes.
type endpoint string

func (e endpoint) ResolveEndpoint(_, _ string, _ int32) (*url.URL, error) {
	return &url.URL{Scheme: "https", Host: string(e)}, nil
}

// seen is what is printed at the end.
type seen struct {
	lock     sync.Mutex
	Answered int      `json:"answered"`
	Failures []string `json:"failures"`
	Slowest  int64    `json:"slowest_millis"`
}

// note calls, and remembers what came of it.
func (s *seen) note(call func() error) {
	started := time.Now()
	err := call()
	took := time.Since(started).Milliseconds()
	s.lock.Lock()
	defer s.lock.Unlock()
	s.Slowest = max(s.Slowest, took)
	if err != nil {
		s.Failures = append(s.Failures, err.Error())
	} else {
		s.Answered++
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "webhook-client:", err)
		os.Exit(1)
	}
}

func run() error {
	asked := flag.String("endpoints", "", "the address that says an endpoint of the Service")
	fixed := flag.String("endpoint", "", "the one endpoint of the Service, instead")
	burst := flag.Int("burst", 0, "how many reviews to send at once when standard input ends, and no others")
	ca := flag.String("ca", "", "the file of the CA bundle")
	file := flag.String("review", "", "the file of the review, which is to be allowed")
	flag.Parse()

	bundle, err := os.ReadFile(*ca)
	if err != nil {
		return err
	}
	var review admissionv1.AdmissionReview
	content, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, &review); err != nil {
		return fmt.Errorf("%s: %w", *file, err)
	}
	var service webhook.ServiceResolver = endpoints(*asked)
	if *fixed != "" {
		service = endpoint(*fixed)
	}
	client, err := webhookClient(bundle, service)
	if err != nil {
		return err
	}

	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	all := &seen{Failures: []string{}}
	send := func(turn, count int) {
		var calls sync.WaitGroup
		for call := range count {
			uid := types.UID(fmt.Sprintf("go-%d-%d", turn, call))
			calls.Go(func() { all.note(func() error { return ask(client, review, uid) }) })
		}
		calls.Wait()
	}
	if *burst > 0 {
		<-over
		send(0, *burst)
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	for turn := 0; ; turn++ {
		select {
		case <-over:
			return json.NewEncoder(os.Stdout).Encode(all)
		case <-time.After(pause):
		}
		send(turn, bursts[turn%len(bursts)])
	}
}

// webhookClient returns what kube-apiserver would use for a webhook of a Service.
func webhookClient(bundle []byte, service webhook.ServiceResolver) (*rest.RESTClient, error) {
	manager, err := webhook.NewClientManager(
		[]schema.GroupVersion{admissionv1.SchemeGroupVersion}, admissionv1.AddToScheme)
	if err != nil {
		return nil, err
	}
	resolver, err := webhook.NewDefaultAuthenticationInfoResolver("")
	if err != nil {
		return nil, err
	}
	manager.SetAuthenticationInfoResolver(resolver)
	manager.SetServiceResolver(service)
	return manager.HookClient(webhook.ClientConfig{
		Name:     "pods.podgate.dev",
		CABundle: bundle,
		Service:  &webhook.ClientConfigService{Name: "podgate", Namespace: "podgate-system", Path: "/validate", Port: 443},
	})
}

// ask sends the review under a uid of its own, and looks whether the answer has it and allows.
func ask(client *rest.RESTClient, review admissionv1.AdmissionReview, uid types.UID) error {
	request := *review.Request
	request.UID = uid
	review.Request = &request
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var answer admissionv1.AdmissionReview
	if err := client.Post().Timeout(timeout).Body(&review).Do(ctx).Into(&answer); err != nil {
		return fmt.Errorf("%s: %w", uid, err)
	}
	if answer.Response == nil || answer.Response.UID != uid || !answer.Response.Allowed {
		return fmt.Errorf("%s: answered %+v", uid, answer.Response)
	}
	return nil
}

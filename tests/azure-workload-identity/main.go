// azure-workload-identity serves the mutating webhook of azure-workload-identity: the package pkg/webhook of its
// release, in a program as small as tests need.
//
// The release's own program cannot be built, as its logging module is not to be had; ./mlog stands in for it. What this
// one lacks is what surrounds the webhook there: certificates of its own and their rotation, metrics, and probes. The
// configuration is the release's, from the same variables of the environment. Service accounts are read as there:
// from a cache, and from the API server if they are not in it.
//
// It listens at a port of loopback that the system chooses, prints that address, and ends as soon as standard input does.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/Azure/azure-workload-identity/pkg/webhook"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// path is where the chart's configuration sends reviews.
const path = "/mutate-v1-pod"

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the file that says how the API server is reached")
	certificate := flag.String("tls-cert", "", "the file of the certificate")
	key := flag.String("tls-key", "", "the file of its key")
	// These are named as the release names them.
	audience := flag.String("audience", "", "the audience of tokens; empty: the one of Azure AD")
	suffix := flag.String("custom-token-endpoint-annotation-suffix", "", "what follows azure.workload.identity/use- in the annotation that asks for an identity binding")
	bindingAudience := flag.String("custom-token-endpoint-audience", "", "the audience of tokens with an identity binding")
	flag.Parse()

	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	log.SetLogger(logr.FromSlogHandler(slog.Default().Handler()))
	ctx, end := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	err := serve(ctx, *kubeconfig, *certificate, *key, options{*audience, *suffix, *bindingAudience})
	if err != nil {
		slog.Error("the webhook ends", "error", err)
		os.Exit(1)
	}
}

// options are the flags that the webhook itself has in the release.
type options struct {
	audience, suffix, bindingAudience string
}

// serve answers reviews until the context ends.
func serve(ctx context.Context, kubeconfig, certificate, key string, options options) error {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("the kubeconfig: %w", err)
	}
	hook, err := mutator(ctx, config, options)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(path, hook)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := http.Server{
		Handler:   mux,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13},
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	fmt.Println(listener.Addr())
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// mutator is the release's webhook. Its cache of service accounts is filled when this returns.
func mutator(ctx context.Context, config *rest.Config, options options) (http.Handler, error) {
	accounts, err := cache.New(config, cache.Options{Scheme: scheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("the cache: %w", err)
	}
	go func() {
		if err := accounts.Start(ctx); err != nil {
			slog.Error("the cache ends", "error", err)
		}
	}()
	if _, err := accounts.GetInformer(ctx, &corev1.ServiceAccount{}); err != nil {
		return nil, fmt.Errorf("service accounts: %w", err)
	}
	direct, err := client.New(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("the client: %w", err)
	}
	cached, err := client.New(config, client.Options{
		Scheme: scheme.Scheme,
		Cache:  &client.CacheOptions{Reader: accounts},
	})
	if err != nil {
		return nil, fmt.Errorf("the client of the cache: %w", err)
	}
	handler, err := webhook.NewPodMutator(
		cached, direct, options.audience, scheme.Scheme, config, options.suffix, options.bindingAudience)
	if err != nil {
		return nil, err
	}
	return admission.StandaloneWebhook(&admission.Webhook{Handler: handler}, admission.StandaloneOptions{})
}

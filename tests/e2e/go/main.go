// Fetch gets each URL with net/http, trusting one certificate, and prints what came as JSON lines.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
)

type answer struct {
	Status int    `json:"status"`
	TLS    string `json:"tls"`
	Proto  string `json:"proto"`
	Reused bool   `json:"reused"`
	Body   string `json:"body"`
}

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(trusted string, urls []string) error {
	pem, err := os.ReadFile(trusted)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", trusted)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
	}}
	for _, url := range urls {
		got, err := fetch(client, url)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
			return err
		}
	}
	return nil
}

func fetch(client *http.Client, url string) (*answer, error) {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	got := &answer{}
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { got.Reused = info.Reused },
	}
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), trace))
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	got.Status, got.Proto, got.Body = response.StatusCode, response.Proto, hex.EncodeToString(body)
	if response.TLS.Version == tls.VersionTLS13 {
		got.TLS = "TLS 1.3"
	}
	return got, nil
}

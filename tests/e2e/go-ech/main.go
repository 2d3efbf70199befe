// Echfetch gets / over TLS 1.3 with Encrypted Client Hello and prints what came of each try as a JSON line.
// After a rejection it tries once more with the configs that the server gave for that.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

type outcome struct {
	Accepted bool   `json:"accepted"`
	Resumed  bool   `json:"resumed"`
	Hellos   int    `json:"hellos"`
	Status   int    `json:"status"`
	Body     string `json:"body"`
	Retry    string `json:"retry"`
	Error    string `json:"error"`
}

// counted counts the handshake records that leave in clear: hellos.
type counted struct {
	net.Conn
	hellos int
}

func (c *counted) Write(bytes []byte) (int, error) {
	for rest := bytes; len(rest) >= 5; {
		if rest[0] == 22 {
			c.hellos++
		}
		rest = rest[min(len(rest), 5+int(rest[3])<<8+int(rest[4])):]
	}
	return c.Conn.Write(bytes)
}

func main() {
	address := flag.String("address", "", "HOST:PORT to connect to")
	roots := flag.String("roots", "", "PEM file that is trusted")
	name := flag.String("name", "", "the hidden name")
	list := flag.String("ech", "", "base64 of the ECHConfigList")
	odd := flag.Bool("odd-group", false, "send a key share that the server has no use for")
	times := flag.Int("times", 1, "how often, with one cache of sessions")
	flag.Parse()
	if err := run(*address, *roots, *name, *list, *odd, *times); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, roots, name, list string, odd bool, times int) error {
	pem, err := os.ReadFile(roots)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", roots)
	}
	configs, err := base64.StdEncoding.DecodeString(list)
	if err != nil {
		return err
	}
	config := &tls.Config{
		RootCAs: pool, ServerName: name, EncryptedClientHelloConfigList: configs,
		MinVersion: tls.VersionTLS13, ClientSessionCache: tls.NewLRUClientSessionCache(4),
		NextProtos: []string{"http/1.1"},
	}
	if odd {
		config.CurvePreferences = []tls.CurveID{tls.SecP256r1MLKEM768, tls.X25519}
	}
	for range times {
		got := fetch(address, config)
		if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
			return err
		}
		if got.Retry == "" {
			continue
		}
		again := config.Clone()
		again.EncryptedClientHelloConfigList, _ = base64.StdEncoding.DecodeString(got.Retry)
		if err := json.NewEncoder(os.Stdout).Encode(fetch(address, again)); err != nil {
			return err
		}
	}
	return nil
}

func fetch(address string, config *tls.Config) outcome {
	plain, err := net.Dial("tcp", address)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	wire := &counted{Conn: plain}
	connection := tls.Client(wire, config)
	defer connection.Close()
	if err := connection.Handshake(); err != nil {
		got := outcome{Error: err.Error(), Hellos: wire.hellos}
		var rejected *tls.ECHRejectionError
		if errors.As(err, &rejected) {
			got.Retry = base64.StdEncoding.EncodeToString(rejected.RetryConfigList)
		}
		return got
	}
	state := connection.ConnectionState()
	got := outcome{Accepted: state.ECHAccepted, Resumed: state.DidResume, Hellos: wire.hellos}
	fmt.Fprintf(connection, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", config.ServerName)
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		got.Error = err.Error()
		return got
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		got.Error = err.Error()
	}
	got.Status, got.Body = answer.StatusCode, string(body)
	return got
}

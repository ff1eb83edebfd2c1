// Sends each request of a list to a server; prints status and SHA-256 of the body of each answer.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	list, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(list), "\n"), "\n") {
		parts := strings.Split(line, "\t")
		body, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil {
			log.Fatal(err)
		}
		request, err := http.NewRequest(parts[0], os.Args[1]+parts[1], bytes.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		if parts[3] != "" {
			request.Header.Set("Content-Type", parts[3])
		}
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			log.Fatal(err)
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, answer.Body); err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		fmt.Printf("%d %x\n", answer.StatusCode, hash.Sum(nil))
	}
}

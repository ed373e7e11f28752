package main

import (
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestPlausibleChurn(t *testing.T) {
	full := resident{first: 20 << 10, last: 270 << 10, most: 280 << 10}
	tests := []struct {
		name            string
		requests, asked int
		memory          resident
		err             string // within the error; empty for none
	}{
		{"churned", 1000, 300, full, ""},
		{"nothing evicted", 1000, 0, full, "none of 1000"},
		{"nothing stored", 1000, 1000, full, "1000 of 1000"},
		{"little stored", 1000, 300, resident{first: 20 << 10, last: 180 << 10, most: 190 << 10}, "194560 KB of memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := plausibleChurn(tt.requests, tt.asked, turn{memory: tt.memory})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want one with %q", err, tt.err)
			}
		})
	}
}

// Objects are asked for by their own addresses, and are four times what the cache holds, together.
func TestFetch(t *testing.T) {
	total := 0
	for i := range churnObjects {
		total += churnSizes[i%len(churnSizes)]
	}
	if times := float64(total) / (cacheSize << 20); times < 3.9 || times > 4.1 {
		t.Errorf("the objects are %.2f times what the cache holds, want 4", times)
	}
	var mu sync.Mutex
	asked := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.String()]++
		mu.Unlock()
		size, err := strconv.Atoi(path.Base(r.URL.Path))
		if err != nil || r.URL.RawQuery == "99" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, strings.Repeat("s", size))
	}))
	defer server.Close()
	site := site{scenario: scenario{client: churning}}
	two := func(client int) iter.Seq[int] { return slices.Values([]int{client, client + churners}) }
	n, err := site.fetch(t.Context(), server.Listener.Addr().String(), two)
	if err != nil || n != 2*churners || len(asked) != 2*churners {
		t.Errorf("got %d answers of %d objects and error %v, want %d", n, len(asked), err, 2*churners)
	}
	missing := func(int) iter.Seq[int] { return slices.Values([]int{99}) }
	if _, err := site.fetch(t.Context(), server.Listener.Addr().String(), missing); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got error %v, want the status", err)
	}
}

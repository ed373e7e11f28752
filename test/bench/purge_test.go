package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const receiptText = `{"node":"seawall","purged":[{"zone":"site","scope":"tag","what":"tag-3","soft":false,"in_force":"2026-11-30T02:18:51.123456789Z"}]}`

func TestParseReceipt(t *testing.T) {
	tests := []struct {
		name, text string
		err        string // within the error; empty for none
	}{
		{"whole", receiptText, ""},
		{"another tag", strings.Replace(receiptText, "tag-3", "tag-4", 1), "want one of tag tag-3"},
		{"not a tag", strings.Replace(receiptText, `"tag"`, `"host"`, 1), "want one of tag"},
		{"nothing purged", `{"node":"seawall","purged":[]}`, "want one of tag"},
		{"without a time", strings.Replace(receiptText, "in_force", "since", 1), "want one of tag"},
		{"not JSON", "purged\n", "read a receipt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, err := parseReceipt([]byte(tt.text), "tag-3")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want one with %q", err, tt.err)
				}
				return
			}
			if want := time.Date(2026, 11, 30, 2, 18, 51, 123456789, time.UTC); err != nil || !at.Equal(want) {
				t.Errorf("got %v and error %v, want %v", at, err, want)
			}
		})
	}
}

func FuzzParseReceipt(f *testing.F) {
	f.Add([]byte(receiptText))
	f.Fuzz(func(t *testing.T, text []byte) {
		if at, err := parseReceipt(text, "tag-3"); err == nil && at.IsZero() {
			t.Errorf("%q gave no time", text)
		}
	})
}

// A purge is a request that the admin API takes, and its times are from before it was sent.
func TestPurge(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.URL.Path != "/api/purge" || r.Header.Get("Authorization") != "Bearer secret" ||
			string(body) != `{"tags":["tag-3"]}` || err != nil {
			http.Error(w, "not a purge: "+string(body), http.StatusBadRequest)
			return
		}
		io.WriteString(w, strings.Replace(receiptText, "2026-11-30T02:18:51.123456789Z", time.Now().Format(time.RFC3339Nano), 1))
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	v := newVisitor(conn, "bench")
	p, err := v.purge("secret", "tag-3")
	if err != nil || p.force <= 0 || p.receipt < p.force || p.receipt > clientTimeout {
		t.Errorf("got %+v and error %v, want a receipt after it was in force", p, err)
	}
	if _, err := v.purge("guess", "tag-3"); err == nil || !strings.Contains(err.Error(), "status 400") {
		t.Errorf("got error %v, want the status", err)
	}
}

func TestPrintPurges(t *testing.T) {
	ms := func(force, receipt float64) purged {
		return purged{time.Duration(force * 1e6), time.Duration(receipt * 1e6)}
	}
	var out strings.Builder
	printPurges(&out, scenario{name: "purge-tag"}, []purged{ms(0.1, 0.5), ms(0.9, 3), ms(0.2, 0.4)})
	want := []string{
		"ms from a purge's request median worst",
		"until it is in force 0.20 0.90",
		"until its receipt is there 0.50 3.00",
		"bench purge-tag in-force-ms-median 0.20", "bench purge-tag in-force-ms-worst 0.90",
		"bench purge-tag receipt-ms-median 0.50", "bench purge-tag receipt-ms-worst 3.00",
	}
	if diff := cmp.Diff(want, unaligned(out.String())); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// unaligned are the lines of a table, without the spaces that align them.
func unaligned(table string) (lines []string) {
	for line := range strings.Lines(table) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

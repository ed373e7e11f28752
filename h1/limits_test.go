package h1

import (
	"strings"
	"testing"
)

func TestEnd(t *testing.T) {
	long := strings.Repeat("a", 100)
	lim := Limits{Line: 40, Head: 80}
	tests := []struct {
		name   string
		in     string
		want   int
		status int
	}{
		{"nothing", "", 0, 0},
		{"part of a line", "GET / HT", 0, 0},
		{"half a line end", "GET / HTTP/1.1\r", 0, 0},
		{"half an empty line", "GET / HTTP/1.1\r\n\r", 0, 0},
		{"head", "GET / HTTP/1.1\r\n\r\n", 18, 0},
		{"head and more", "GET / HTTP/1.1\r\n\r\nGET /\n\n\r\n\r\n", 18, 0},
		{"empty line first", "\r\nGET / HTTP/1.1\r\n\r\n", 20, 0},
		{"empty line alone", "\r\n", 0, 0},
		{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", 4, 0},
		{"lf alone", "\n", 1, 0},
		{"lf ends line", "GET / HTTP/1.1\n", 15, 0},
		{"lf ends head", "GET / HTTP/1.1\r\n\n", 17, 0},
		{"cr ends line", "GET / HTTP/1.1\rX", 15, 0},
		{"cr cr", "GET / HTTP/1.1\r\r", 15, 0},
		{"line at limit", "GET /" + long[:26] + " HTTP/1.1\r\n\r\n", 44, 0},
		{"line over limit", "GET /" + long[:27] + " HTTP/1.1\r\n\r\n", 0, 414},
		{"line at limit, unfinished", long[:40] + "\r", 0, 0},
		{"line over limit, unfinished", long[:42], 0, 414},
		{"line at limit behind an empty line", "\r\nGET /" + long[:26] + " HTTP/1.1\r\n\r\n", 46, 0},
		{"line over limit behind an empty line", "\r\nGET /" + long[:27] + " HTTP/1.1\r\n", 0, 414},
		{"head at limit", "GET / HTTP/1.1\r\nX: " + long[:57] + "\r\n\r\n", 80, 0},
		{"head over limit", "GET / HTTP/1.1\r\nX: " + long[:58] + "\r\n\r\n", 0, 431},
		{"head at limit, unfinished", "GET / HTTP/1.1\r\nX: " + long[:60], 0, 0},
		{"head over limit, unfinished", "GET / HTTP/1.1\r\nX: " + long[:61], 0, 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := End([]byte(tt.in), 0, lim)
			if got != tt.want || status(err) != tt.status {
				t.Errorf("End(%q) = %d, %v; want %d, status %d", tt.in, got, err, tt.want, tt.status)
			}
			got, err = trickle([]byte(tt.in), lim, 1)
			if got != tt.want || status(err) != tt.status {
				t.Errorf("End(%q) byte by byte = %d, %v; want %d, status %d", tt.in, got, err, tt.want, tt.status)
			}
		})
	}
}

// TestEndAtEveryOffset moves the empty line over all alignments, with line ends and near misses before it.
func TestEndAtEveryOffset(t *testing.T) {
	for n := range 140 {
		head := "GET /" + strings.Repeat("a", n) + " HTTP/1.1\r\nX:\t\r\nYY: \r\r\n"[:13+n%8] + "\r\n\r\n"
		want := strings.Index(head, "\r\n\r\n") + 4
		for _, rest := range []string{"", "x", "\r", "\r\n", strings.Repeat("\r\n", 20)} {
			if got, err := End([]byte(head+rest), 0, Limits{}); got != want || err != nil {
				t.Fatalf("End(%q) = %d, %v; want %d", head+rest, got, err, want)
			}
		}
	}
}

// trickle calls End for growing parts of b, step bytes more each time, until it answers.
func trickle(b []byte, lim Limits, step int) (end int, err error) {
	for from := 0; from < len(b); {
		to := min(from+step, len(b))
		if end, err = End(b[:to:to], from, lim); end > 0 || err != nil {
			return end, err
		}
		from = to
	}
	return 0, nil
}

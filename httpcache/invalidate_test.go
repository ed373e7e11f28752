package httpcache

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInvalidated(t *testing.T) {
	const target = "https://example.org/a/b"
	tests := []struct {
		name     string
		method   string
		target   string
		status   int
		response []Field
		want     []string
	}{
		{name: "9111 §4.4 POST", method: "POST", want: []string{target}},
		{name: "9111 §4.4 unknown method", method: "M-SEARCH", want: []string{target}},
		{name: "9111 §4.4 redirect", method: "DELETE", status: 303, want: []string{target}},
		{name: "9111 §4.4 safe method", method: "GET"},
		{name: "9111 §4.4 error", method: "POST", status: 500},
		{name: "9111 §4.4 client error", method: "PUT", status: 404},
		{name: "9111 §4.4 Location and Content-Location", method: "POST", response: fields("Location: /c?d#e", "Content-Location: f"), want: []string{target, "https://example.org/c?d", "https://example.org/a/f"}},
		{name: "9111 §4.4 each once", method: "POST", response: fields("Location: b", "Content-Location: "+target), want: []string{target}},
		{name: "9111 §4.4 same origin written otherwise", method: "POST", response: fields("Location: HTTPS://u@EXAMPLE.org:443/c"), want: []string{target, "https://example.org/c"}},
		{name: "9111 §4.4 other host", method: "POST", response: fields("Location: https://example.com/c", "Content-Location: //example.com/c"), want: []string{target}},
		{name: "9111 §4.4 other scheme", method: "POST", response: fields("Location: http://example.org/c"), want: []string{target}},
		{name: "9111 §4.4 other port", method: "POST", response: fields("Location: https://example.org:444/c"), want: []string{target}},
		{name: "9111 §4.4 broken and repeated", method: "POST", response: fields("Location: ://", "Content-Location: c", "Content-Location: d"), want: []string{target}},
		{name: "a target that is no absolute URI", method: "POST", target: "/a", response: fields("Location: /c"), want: []string{"/a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			uri := tt.target
			if uri == "" {
				uri = target
			}
			got := Invalidated(nil, tt.method, uri, &Response{Status: orOK(tt.status), Fields: tt.response})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("URIs (-want +got):\n%s", diff)
			}
		})
	}
}

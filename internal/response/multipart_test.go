package response

import (
	"io"
	"mime"
	parts "mime/multipart"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/flow"
)

// TestSeveralRanges: RFC 9110 §14.6, §15.3.7.2: several ranges of a stored response are the parts of one, which Go's own reader takes apart.
func TestSeveralRanges(t *testing.T) {
	body := strings.Repeat("0123456789", 100)
	f := request("GET", fields("Range", "bytes=0-4, 990-, 10-10")...)
	fromCache(t, f, 200, body, stored()...)
	x := write(t, f)
	mediaType, parameters, err := mime.ParseMediaType(flow.Get(x.fields, "content-type"))
	got := strings.Join(x.pieces, "")
	if x.status != 206 || mediaType != "multipart/byteranges" || err != nil || x.length != int64(len(got)) || !x.finished {
		t.Fatalf("got %d with %s of %d, length %d, %v", x.status, mediaType, len(got), x.length, err)
	}
	if flow.Get(x.fields, "content-range") != "" || flow.Get(x.fields, "content-encoding") != "gzip" {
		t.Errorf("got %v, want no Content-Range, and Content-Encoding as it is stored", x.fields)
	}
	r := parts.NewReader(strings.NewReader(got), parameters["boundary"])
	for _, want := range [][2]string{{"bytes 0-4/1000", "01234"}, {"bytes 990-999/1000", "0123456789"}, {"bytes 10-10/1000", "0"}} {
		part, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(part)
		if part.Header.Get("Content-Range") != want[0] || string(content) != want[1] || part.Header.Get("Content-Type") != "text/html" {
			t.Errorf("got %v with %q, want %v", part.Header, content, want)
		}
	}
	if _, err := r.NextRawPart(); err != io.EOF {
		t.Errorf("after the last part: got %v, want the end", err)
	}
}

// TestRangeAttacks: what costs more than the whole gets the whole (RFC 9110 §17.15).
func TestRangeAttacks(t *testing.T) {
	body := strings.Repeat("0123456789", 100)
	for _, ranges := range []string{
		"bytes=0-,0-", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", "bytes=0-499,500-", "bytes=0-700,702-",
	} {
		f := request("GET", fields("Range", ranges)...)
		fromCache(t, f, 200, body, stored()...)
		if x := write(t, f); x.status != 200 || x.length != 1000 {
			t.Errorf("%s: got %d with %d bytes, want the whole", ranges, x.status, x.length)
		}
	}
}

// TestTargetedFieldsToClients: RFC 9213 §2: our own field is not passed on, nor is Surrogate-Control; CDN-Cache-Control is (§3.1).
func TestTargetedFieldsToClients(t *testing.T) {
	f := request("GET")
	fromCache(t, f, 200, "x", fields("Seawall-Cache-Control", "max-age=9", "CDN-Cache-Control", "max-age=8", "Surrogate-Control", "max-age=7")...)
	x := write(t, f)
	if got := flow.Get(x.fields, "seawall-cache-control") + flow.Get(x.fields, "surrogate-control"); got != "" {
		t.Errorf("got %v, want neither our own field nor Surrogate-Control", x.fields)
	}
	if got := flow.Get(x.fields, "cdn-cache-control"); got != "max-age=8" {
		t.Errorf("CDN-Cache-Control: got %q, want max-age=8", got)
	}
}

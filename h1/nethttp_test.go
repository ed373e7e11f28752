package h1

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A plainRequest is a request head taken apart without any of this package's code, for a second opinion on a refusal.
type plainRequest struct {
	raw                     string
	method, target, version string
	lines                   []string // field lines
}

func plain(raw string) plainRequest {
	lines := strings.Split(strings.ReplaceAll(raw, "\r\n", "\n"), "\n")
	p := plainRequest{raw: raw, lines: lines[1:]}
	p.method, p.target, _ = strings.Cut(lines[0], " ")
	p.target, p.version, _ = strings.Cut(p.target, " ")
	return p
}

// values returns those of the fields with that name, in lower case, however it is written.
func (p plainRequest) values(name string) (v []string) {
	for _, line := range p.lines {
		n, value, ok := strings.Cut(line, ":")
		if ok && strings.ToLower(n) == name {
			v = append(v, strings.Trim(value, " \t"))
		}
	}
	return v
}

// authority returns that of an absolute-form or authority-form target, or "".
func (p plainRequest) authority() string {
	if m := absoluteTarget.FindStringSubmatch(p.target); m != nil {
		return m[2]
	}
	if p.method == "CONNECT" {
		return p.target
	}
	return ""
}

// withPort adds to an authority the port that its absence means.
func (p plainRequest) withPort(authority string) string {
	if hasPort.MatchString(authority) {
		host, port := authority[:strings.LastIndex(authority, ":")], authority[strings.LastIndex(authority, ":")+1:]
		return strings.ToLower(host) + ":" + strings.TrimLeft(port, "0")
	}
	port := "80"
	switch {
	case strings.HasPrefix(strings.ToLower(p.target), "https:"):
		port = "443"
	case p.method == "CONNECT":
		port = strings.TrimLeft(p.target[strings.LastIndex(p.target, ":")+1:], "0")
	}
	return strings.ToLower(authority) + ":" + port
}

var (
	absoluteTarget = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+)://([^/?]*)")
	hasPort        = regexp.MustCompile(`:[0-9]+$`)
	plainHost      = regexp.MustCompile(`^([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
	otherVersion   = regexp.MustCompile(`^HTTP/([02-9]\.[0-9]|1\.[2-9])$`)
	bareLF         = regexp.MustCompile(`(^|[^\r])\n`)
	bareCR         = regexp.MustCompile(`\r([^\n]|$)`)
	folded         = regexp.MustCompile(`\n[ \t]`)
	control        = regexp.MustCompile(`[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]`)
	badTarget      = regexp.MustCompile(`[^!-~]`)
	badEscape      = regexp.MustCompile(`%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)`)
	spacedColon    = regexp.MustCompile(`\n[^:\r\n]+[ \t]+:`)
	spacedName     = regexp.MustCompile(`\n[^:\r\n]+ [^:\r\n]*:`)
	imitation      = regexp.MustCompile(`(?im)^(content_length|transfer_encoding):`)
)

// onlyNetHTTP lists what net/http accepts and this package refuses, on purpose: by the reason of the refusal, what
// must then be true of the head.
var onlyNetHTTP = map[string]func(p plainRequest) bool{
	"bare line feed":       func(p plainRequest) bool { return bareLF.MatchString(p.raw) },
	"bare carriage return": func(p plainRequest) bool { return bareCR.MatchString(p.raw) },
	"first line too long":  func(p plainRequest) bool { return strings.Index(p.raw, "\r\n") > 8192 },
	"head too long":        func(p plainRequest) bool { return len(p.raw) > 32768 },
	"too many fields":      func(p plainRequest) bool { return strings.Count(p.raw, "\n") > 102 },
	"method too long":      func(p plainRequest) bool { return len(p.method) > 32 },

	// An empty target is a second space; net/http takes it in CONNECT.
	"bad character in target": func(p plainRequest) bool { return p.target == "" || badTarget.MatchString(p.target) },
	"fragment in target":      func(p plainRequest) bool { return strings.Contains(p.target, "#") },
	"bad target form": func(p plainRequest) bool {
		if p.method == "CONNECT" {
			return !hasPort.MatchString(p.target) || !plainHost.MatchString(p.target)
		}
		return p.target[0] != '/' && !absoluteTarget.MatchString(p.target) && !(p.target == "*" && p.method == "OPTIONS")
	},
	"bad scheme in target": func(p plainRequest) bool {
		m := absoluteTarget.FindStringSubmatch(p.target)
		return m != nil && strings.ToLower(m[1]) != "http" && strings.ToLower(m[1]) != "https"
	},
	"unsupported version": func(p plainRequest) bool { return otherVersion.MatchString(p.version) },

	"folded field line": func(p plainRequest) bool { return folded.MatchString(p.raw) },
	"control character in field value": func(p plainRequest) bool {
		return control.MatchString(strings.Join(p.lines, "\n"))
	},
	"space before colon":           func(p plainRequest) bool { return spacedColon.MatchString(p.raw) },
	"bad field name":               func(p plainRequest) bool { return spacedName.MatchString(p.raw) },
	"field name imitates a length": func(p plainRequest) bool { return imitation.MatchString(p.raw) },

	"missing host":  func(p plainRequest) bool { return len(p.values("host")) == 0 && p.version == "HTTP/1.1" },
	"several hosts": func(p plainRequest) bool { return len(p.values("host")) > 1 },
	"bad host": func(p plainRequest) bool {
		for _, host := range append(p.values("host"), p.authority()) {
			if host == "" && host == p.authority() && !absoluteTarget.MatchString(p.target) && p.values("host")[0] != "" {
				continue
			}
			if !plainHost.MatchString(host) || oddPort(host) || oddIPv6(host) {
				return true
			}
		}
		return false
	},
	"target and host disagree": func(p plainRequest) bool {
		return p.withPort(p.authority()) != p.withPort(p.values("host")[0])
	},

	"bad content-length": func(p plainRequest) bool {
		for _, v := range p.values("content-length") {
			if _, err := strconv.ParseUint(v, 10, 63); err != nil {
				return true
			}
		}
		return false
	},
	"several content-lengths": func(p plainRequest) bool { return len(p.values("content-length")) > 1 },
	"content-length with transfer-encoding": func(p plainRequest) bool {
		return len(p.values("content-length")) > 0 && len(p.values("transfer-encoding")) > 0
	},
	"unsupported transfer-encoding": func(p plainRequest) bool {
		return strings.ToLower(strings.Join(p.values("transfer-encoding"), ",")) != "chunked"
	},
	"transfer-encoding in http/1.0": func(p plainRequest) bool {
		return p.version == "HTTP/1.0" && len(p.values("transfer-encoding")) > 0
	},
	"content in connect": func(p plainRequest) bool {
		return p.method == "CONNECT" && len(p.values("content-length"))+len(p.values("transfer-encoding")) > 0
	},
	"several upgrades": func(p plainRequest) bool { return len(p.values("upgrade")) > 1 },
}

func oddPort(host string) bool {
	port, _ := strconv.Atoi(strings.TrimPrefix(hasPort.FindString(host), ":"))
	return port > 65535
}

func oddIPv6(host string) bool {
	inside, _, ok := strings.Cut(strings.TrimPrefix(host, "["), "]")
	addr, err := netip.ParseAddr(inside)
	return ok && (err != nil || !addr.Is6())
}

// onlyHere lists what this package accepts and net/http refuses.
var onlyHere = []struct {
	reason   string
	explains func(p plainRequest) bool
}{
	{"an empty line first, RFC 9112 2.2", func(p plainRequest) bool { return strings.HasPrefix(p.raw, "\r\n") }},
	{"net/url refuses escapes that are none; what they mean is the origin's concern",
		func(p plainRequest) bool { return badEscape.MatchString(p.target) }},
	{"net/http refuses names in Trailer, we the trailer fields themselves", func(p plainRequest) bool {
		names := strings.ToLower(strings.Join(p.values("trailer"), ","))
		return strings.Contains(names, "content-length") || strings.Contains(names, "transfer-encoding") ||
			strings.Contains(names, "trailer")
	}},
}

// FuzzAgainstNetHTTP compares with http.ReadRequest: what both accept means the same to both, and whatever only one
// accepts has an explanation above.
func FuzzAgainstNetHTTP(f *testing.F) {
	seedRequests(f, func(head string) { f.Add([]byte(head)) })
	f.Add([]byte("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte(post("Transfer-Encoding: chunked", "Trailer: Content-Length, X")))
	f.Add([]byte(get("Pragma: no-cache", "Trailer: X")))
	f.Add([]byte("CONNECT  HTTP/1.1\r\nt:\r\n\r\n"))
	f.Fuzz(checkAgainstNetHTTP)
}

// TestAgainstNetHTTP does the same with heads put together, at random but always the same, from lines that matter.
func TestAgainstNetHTTP(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(s []string) string { // rather from the front
		return s[min(rnd.IntN(len(s)), rnd.IntN(len(s)), rnd.IntN(len(s)))]
	}
	methods := []string{"GET", "GET", "POST", "OPTIONS", "CONNECT", "get", "G@T", strings.Repeat("M", 33)}
	targets := []string{"/", "/a?b", "//a", "*", "a:80", "a", "http://a/b", "HTTPS://A", "http://a:80?c", "ftp://a/",
		"/%zz", "/%41", "/#", "/\xff", "http://[::1]/", "[::1]:80", "http://u@a/"}
	versions := []string{"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", ""}
	ends := []string{"\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\r\n ", "\r\n\t"}
	names := []string{"Host", "host", "HOST", "Content-Length", "content-length", "Transfer-Encoding", "Connection",
		"Upgrade", "TE", "Trailer", "Expect", "Pragma", "Content_Length", "X", "X Y", "Host ", " Host", "Content-Length\t", ""}
	values := []string{"a", "a", "a", "A:80", "a:", "b", "[::1]", "[::1]:443", "", "5", "5, 5", "05", "+5",
		"9223372036854775808", "chunked", "Chunked", "chunked, chunked", "identity", "close", "keep-alive, Upgrade",
		"no-cache", "X\x00", "\xff", "\va", "Content-Length", "X,Trailer"}
	for range 20_000 {
		head := pick(methods) + " " + pick(targets) + " " + pick(versions) + pick(ends)
		if rnd.IntN(4) > 0 {
			head += "Host: a\r\n"
		}
		for range rnd.IntN(4) {
			head += pick(names) + ":" + pick([]string{" ", "", "\t"}) + pick(values) + pick(ends)
		}
		checkAgainstNetHTTP(t, []byte(head+pick(ends)+"GET / HTTP/1.1\r\n\r\n"))
	}
}

func checkAgainstNetHTTP(t *testing.T, data []byte) {
	t.Helper()
	src := bytes.NewReader(data)
	buf := bufio.NewReader(src)
	theirs, theirErr := http.ReadRequest(buf)
	read := len(data) - src.Len() - buf.Buffered()

	end, err := End(data, 0, Limits{})
	var ours Request
	if err == nil {
		err = ours.Parse(string(data[:end]), Limits{})
	}
	switch {
	case err != nil && theirErr != nil:
	case err == nil && theirErr == nil:
		if end != read {
			t.Fatalf("head ends at %d, for net/http at %d: %q", end, read, data)
		}
		compare(t, &ours, theirs)
	case err != nil:
		raw := string(data[:read])
		explains := onlyNetHTTP[err.Error()]
		if explains == nil || !explains(plain(raw)) {
			t.Fatalf("refused, %q, but not by net/http, without explanation: %q", err, raw)
		}
	default:
		p := plain(string(data[:end]))
		for _, why := range onlyHere {
			if why.explains(p) {
				return
			}
		}
		t.Fatalf("accepted, but not by net/http, %q, without explanation: %q", theirErr, p.raw)
	}
}

// compare checks that both readings of a request mean the same.
func compare(t *testing.T, ours *Request, theirs *http.Request) {
	t.Helper()
	type meaning struct {
		Method, Target, Host, Path string
		Minor                      int
		Length                     int64 // -1: chunked
		Chunked, Close             bool
		Fields                     http.Header
	}
	got := meaning{Method: ours.Method, Target: ours.Target, Host: ours.Host, Minor: int(ours.Minor), Length: ours.Length,
		Chunked: ours.Framing == Chunked, Close: ours.Close, Fields: http.Header{}}
	if got.Chunked {
		got.Length = -1
	}
	for _, f := range ours.Fields {
		got.Fields.Add(f.Name, f.Value)
	}
	// net/http takes these out of the header, and adds this.
	got.Fields.Del("Host")
	if got.Chunked {
		got.Fields.Del("Transfer-Encoding")
		got.Fields.Del("Trailer")
	}
	if p := got.Fields["Pragma"]; len(p) > 0 && p[0] == "no-cache" && got.Fields["Cache-Control"] == nil {
		got.Fields.Set("Cache-Control", "no-cache")
	}
	want := meaning{Method: theirs.Method, Target: theirs.RequestURI, Host: theirs.Host, Minor: theirs.ProtoMinor,
		Length: theirs.ContentLength, Chunked: len(theirs.TransferEncoding) > 0, Close: theirs.Close,
		Fields: theirs.Header}
	if ours.Form == Origin || ours.Form == Absolute {
		want.Path, _ = url.PathUnescape(ours.Path)
		got.Path = theirs.URL.Path
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("another meaning (-net/http +h1):\n%s", diff)
	}
}

package ja4

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParse(t *testing.T) {
	s := publishedSpec(t, 0, true)
	s.name = "WWW.Example.ORG"
	s.protocols = []string{"\x0a\x0a", "h2", "http/1.1", "h3", "spdy/3"}
	want := Hello{
		Version: 0x0303, Ciphers: s.ciphers, Extensions: s.extensions, ServerName: "www.example.org", Protocols: s.protocols,
		SignatureSchemes: s.schemes, Versions: s.versions, Curves: []uint16{0x8a8a, 29},
	}
	tests := []struct {
		name   string
		change func(*spec, *Hello)
	}{
		{"chrome", func(*spec, *Hello) {}},
		{"no extensions", func(s *spec, h *Hello) {
			s.extensions = nil
			*h = Hello{Version: h.Version, Ciphers: h.Ciphers}
		}},
		{"empty extensions", func(s *spec, h *Hello) {
			s.extensions = []uint16{}
			*h = Hello{Version: h.Version, Ciphers: h.Ciphers}
		}},
		{"no ciphers", func(s *spec, h *Hello) { s.ciphers, h.Ciphers = nil, nil }},
		{"a ticket", func(s *spec, h *Hello) {
			s.data = map[uint16][]byte{extensionSessionTicket: []byte("ticket")}
			h.Ticket = true
		}},
		{"a pre-shared key", func(s *spec, h *Hello) {
			s.extensions = append(s.extensions, extensionPreSharedKey)
			h.Extensions, h.Ticket = s.extensions, true
		}},
		{"outer ECH", func(s *spec, h *Hello) {
			s.extensions = append(s.extensions, extensionECH)
			s.data = map[uint16][]byte{extensionECH: {0, 0, 1, 0, 1, 7, 0, 1, 'k', 0, 1, 'p'}}
			h.Extensions, h.ECH = s.extensions, true
		}},
		{"inner ECH", func(s *spec, h *Hello) {
			s.extensions = append(s.extensions, extensionECH)
			s.data = map[uint16][]byte{extensionECH: {1}}
			h.Extensions = s.extensions
		}},
		{"a name of another type before the host's", func(s *spec, _ *Hello) {
			s.data = map[uint16][]byte{extensionServerName: []byte("\x00\x17\x01\x00\x02id\x00\x00\x0fwww.example.org")}
		}},
		{"a name that is none", func(s *spec, h *Hello) {
			s.name, h.ServerName = "\x00\xc4\xff Z", "\x00\xc4\xff z"
		}},
		{"a name that is too long", func(s *spec, h *Hello) {
			s.name, h.ServerName = strings.Repeat("LONG", 1000), strings.Repeat("long", 1000)
		}},
		{"many extensions", func(s *spec, h *Hello) {
			for i := range uint16(1000) {
				s.extensions = append(s.extensions, 0x2000+i)
			}
			h.Extensions = s.extensions
		}},
		{"many protocols", func(s *spec, h *Hello) {
			s.protocols = slices.Repeat([]string{"x"}, 5000)
			h.Protocols = s.protocols
		}},
	}
	var reused Hello
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, want := s, want
			s.extensions, want.Extensions = slices.Clone(s.extensions), slices.Clone(want.Extensions)
			tt.change(&s, &want)
			want.Length = len(s.body())
			b := s.bytes()
			input := append(slices.Clone(b), "what follows"...)
			n, err := reused.Parse(input)
			if err != nil || n != len(b) {
				t.Fatalf("got %d, %v, want %d", n, err, len(b))
			}
			clear(input)
			if diff := cmp.Diff(want, reused, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("hello (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFails(t *testing.T) {
	whole := publishedSpec(t, 0, false).bytes()
	with := func(change func(*spec)) []byte {
		s := publishedSpec(t, 0, false)
		s.data = map[uint16][]byte{}
		change(&s)
		return s.bytes()
	}
	data := func(extension uint16, data string) []byte {
		return with(func(s *spec) { s.data[extension] = []byte(data) })
	}
	body := publishedSpec(t, 0, false).body()
	message := func(body []byte) []byte { return records(handshake(typeClientHello, body), maxPlaintext) }
	tests := []struct {
		name string
		b    []byte
		want error
		text string // in the error
	}{
		{"nothing", nil, ErrShort, ""},
		{"one byte", []byte{22}, ErrShort, ""},
		{"header", []byte{22, 3, 1, 2, 0}, ErrShort, ""},
		{"one letter of HTTP", []byte("G"), ErrHTTP, ""},
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), ErrHTTP, ""},
		{"HTTP/2", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ErrHTTP, ""},
		{"not quite HTTP", []byte("GETS"), ErrNotTLS, ""},
		{"SSH", []byte("SSH-2.0-OpenSSH_10.0\r\n"), ErrNotTLS, ""},
		{"SSL 2.0", []byte{0x80, 0x2e, 1, 0, 2}, ErrNotTLS, ""},
		{"PROXY protocol", []byte("\r\n\r\n\x00\r\nQUIT\n"), ErrNotTLS, ""},
		{"alert", []byte{21, 3, 1, 0, 2, 1, 0}, ErrNotTLS, ""},
		{"application data", []byte{23}, ErrNotTLS, ""},
		{"version", []byte{22, 0x16}, ErrNotTLS, ""},
		{"empty record", []byte{22, 3, 1, 0, 0}, ErrMalformed, "an empty record"},
		{"long record", []byte{22, 3, 1, 0x40, 1}, ErrMalformed, "more than 16384 bytes"},
		{"ServerHello", []byte{22, 3, 3, 0, 99, 2}, ErrMalformed, "of another type"},
		{"too long", []byte{22, 3, 1, 0x40, 0, 1, 0, 0x80, 1}, ErrTooLarge, ""},
		{"as long as may be", []byte{22, 3, 1, 0x40, 0, 1, 0, 0x80, 0}, ErrShort, ""},
		{"too many records", records(whole[recordHeader:], 1), ErrTooLarge, ""},
		{"a record of another type inside", append(records(handshake(typeClientHello, body)[:9], 9), 23), ErrMalformed, "inside"},
		{"empty hello", message(nil), ErrMalformed, "before its cipher_suites"},
		{"no ciphers", message(body[:67]), ErrMalformed, "cipher_suites"},
		{"half a cipher", message(append(slices.Clone(body[:67]), 0, 1, 0x13, 1, 0)), ErrMalformed, "cipher_suites"},
		{"no compression", message(body[:67+2+30]), ErrMalformed, "legacy_compression_methods"},
		{"cut off", message(body[:len(body)-1]), ErrMalformed, "another length"},
		{"longer", message(append(slices.Clone(body), 0)), ErrMalformed, "another length"},
		{"an extension cut off", message(append(slices.Clone(body[:67+2+30+2]), 0, 4, 0, 23, 0, 1)), ErrMalformed, "cut off"},
		{"twice", with(func(s *spec) { s.extensions = append(s.extensions, 23) }), ErrMalformed, "twice"},
		{"twice among many", with(func(s *spec) {
			for i := range uint16(1000) {
				s.extensions = append(s.extensions, 0x2000+i)
			}
			s.extensions = append(s.extensions, 0x2000+999)
		}), ErrMalformed, "twice"},
		{"pre_shared_key", with(func(s *spec) { s.extensions = append(s.extensions, 41, 42) }), ErrMalformed, "last extension"},
		{"no server name", data(0, "\x00\x00"), ErrMalformed, "server_name"},
		{"empty server name", data(0, "\x00\x03\x00\x00\x00"), ErrMalformed, "server_name"},
		{"two server names", data(0, "\x00\x08\x00\x00\x01a\x00\x00\x01b"), ErrMalformed, "two host names"},
		{"a dot", data(0, "\x00\x05\x00\x00\x02a."), ErrMalformed, "ends in a dot"},
		{"more after the server name", data(0, "\x00\x04\x00\x00\x01a!"), ErrMalformed, "server_name"},
		{"no protocols", data(16, "\x00\x00"), ErrMalformed, "ALPN"},
		{"empty protocol", data(16, "\x00\x04\x02h2\x00"), ErrMalformed, "ALPN"},
		{"long protocol", data(16, "\x00\x03\x03h2"), ErrMalformed, "ALPN"},
		{"no groups", data(10, "\x00\x00"), ErrMalformed, "supported_groups"},
		{"half a group", data(10, "\x00\x01x"), ErrMalformed, "supported_groups"},
		{"no signature algorithms", data(13, ""), ErrMalformed, "signature_algorithms"},
		{"half a version", data(43, "\x03\x03\x04\x03"), ErrMalformed, "supported_versions"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h Hello
			n, err := h.Parse(tt.b)
			if n != 0 || !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %d, %v, want %v with %q", n, err, tt.want, tt.text)
			}
			if f := serve(t, tt.b); f != nil && !errors.Is(tt.want, ErrTooLarge) {
				t.Errorf("crypto/tls takes it: %v", f)
			}
		})
	}
}

// TestSplit parses a hello as it arrives, byte by byte, in records of every size that MaxRecords allows.
func TestSplit(t *testing.T) {
	s := publishedSpec(t, 0, true)
	message := handshake(typeClientHello, s.body())
	for size := (len(message) + MaxRecords - 1) / MaxRecords; size <= len(message); size++ {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			b := records(message, size)
			var h Hello
			for i := range b {
				if n, err := h.Parse(b[:i]); n != 0 || !errors.Is(err, ErrShort) {
					t.Fatalf("%d bytes of %d: got %d, %v, want %v", i, len(b), n, err, ErrShort)
				}
			}
			if n, err := h.Parse(b); n != len(b) || err != nil {
				t.Fatalf("got %d, %v, want %d", n, err, len(b))
			}
			if got := h.Fingerprint(TCP).String(); got != published[0].want {
				t.Errorf("got %s, want %s", got, published[0].want)
			}
		})
	}
}

// TestUnevenRecords splits the hello's own header, and leaves the rest to a record that has more than the hello.
func TestUnevenRecords(t *testing.T) {
	message := append(handshake(typeClientHello, publishedSpec(t, 0, true).body()), "more"...)
	for first := 1; first < 9; first++ {
		b := append(records(message[:first], first), records(message[first:], maxPlaintext)...)
		var h Hello
		if n, err := h.Parse(b); n != len(b) || err != nil {
			t.Fatalf("%d bytes first: got %d, %v, want %d", first, n, err, len(b))
		}
		if got := h.Fingerprint(TCP).String(); got != published[0].want {
			t.Errorf("%d bytes first: got %s, want %s", first, got, published[0].want)
		}
	}
}

// TestMaxInput lets as many bytes as may be arrive before the hello is whole: records as small as may be, but for the last.
func TestMaxInput(t *testing.T) {
	s := publishedSpec(t, 0, false)
	s.extensions = append(s.extensions, 0x2000)
	s.data = map[uint16][]byte{0x2000: nil}
	s.data[0x2000] = make([]byte, MaxHello-len(s.body()))
	message := handshake(typeClientHello, s.body())
	size := (len(message) - 1 + MaxRecords - 2) / (MaxRecords - 1)
	b := records(message[:len(message)-1], size)
	last := make([]byte, maxPlaintext)
	last[0] = message[len(message)-1]
	b = append(b, records(last, maxPlaintext)...)
	if len(b) != MaxInput-1 {
		t.Errorf("the longest input: got %d bytes, want %d", len(b), MaxInput-1)
	}
	var h Hello
	if _, err := h.Parse(b[:len(b)-1]); !errors.Is(err, ErrShort) {
		t.Errorf("one byte less: got %v, want %v", err, ErrShort)
	}
	if n, err := h.Parse(b); err != nil || n != len(b) {
		t.Errorf("got %d, %v, want %d", n, err, len(b))
	}
	if f := serve(t, b); f == nil || *f != h.Fingerprint(TCP) {
		t.Errorf("got %v, want %v", h.Fingerprint(TCP), f)
	}
}

// TestReuse: a hello that was hostile leaves a Hello no larger than others do.
func TestReuse(t *testing.T) {
	s := publishedSpec(t, 0, false)
	s.protocols = slices.Repeat([]string{"x"}, 10000)
	var h Hello
	if _, err := h.Parse(s.bytes()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Parse(publishedSpec(t, 0, false).bytes()); err != nil {
		t.Fatal(err)
	}
	if got := cap(h.Protocols); got > kept {
		t.Errorf("capacity of Protocols: got %d, want %d at most", got, kept)
	}
}

func TestAllocations(t *testing.T) {
	b := publishedSpec(t, 0, true).bytes()
	bad := bytes.Replace(b, []byte("www.example.org"), []byte("www.example.or."), 1)
	var h Hello
	tests := []struct {
		name string
		run  func()
		want float64
	}{
		{"short", func() { h.Parse(b[:100]) }, 0},
		{"malformed", func() { h.Parse(bad) }, 0},
		{"hello and fingerprint", func() { h.Parse(b); h.Fingerprint(TCP) }, 2}, // ServerName, and a protocol that isn't usual
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, tt.run); got > tt.want {
				t.Errorf("got %v allocations, want %v at most", got, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for i := range published {
		b := publishedSpec(f, i, true).bytes()
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(records(b[recordHeader:], 100))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{22, 3, 1, 0x40, 0, 1, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		input := slices.Clone(b)
		var h Hello
		n, err := h.Parse(input)
		if !bytes.Equal(input, b) {
			t.Fatal("the input has changed")
		}
		if n < 0 || n > len(b) || (err == nil) != (n > 0) {
			t.Fatalf("%d bytes of %d, %v", n, len(b), err)
		}
		want := serve(t, b)
		if err != nil {
			if want != nil && !errors.Is(err, ErrTooLarge) && !hasAlert(b) {
				t.Fatalf("crypto/tls takes a hello that fails with %v", err)
			}
			if errors.Is(err, ErrShort) && len(b) >= MaxInput {
				t.Fatalf("%v, of %d bytes", err, len(b))
			}
			return
		}
		got := h.Fingerprint(TCP)
		if want != nil && (got[1] != want[1] || got[2] != want[2]) && told(&h) {
			t.Fatalf("version: got %s, want %s", got, *want)
		}
		if want != nil && string(got[3:]) != string(want[3:]) {
			t.Fatalf("got %s, want %s", got, *want)
		}
		checkSame(t, &h, b, n)
	})
}

// told reports whether crypto/tls tells a hello's version (Of says when it doesn't).
func told(h *Hello) bool {
	return len(h.Versions) > 0 || h.Version >= 0x0301 && h.Version <= 0x0304
}

// hasAlert reports whether there is an alert among the records in b: crypto/tls bears warnings before a hello.
func hasAlert(b []byte) bool {
	for len(b) >= recordHeader {
		if b[0] == 21 {
			return true
		}
		b = b[min(len(b), recordHeader+recordLength(b)):]
	}
	return false
}

// checkSame: the first n bytes of b alone make the same hello, less than n don't, and its fingerprint has the form of one.
func checkSame(t *testing.T, h *Hello, b []byte, n int) {
	t.Helper()
	var again Hello
	if m, err := again.Parse(b[:n]); m != n || err != nil {
		t.Fatalf("%d bytes: got %d, %v", n, m, err)
	}
	if diff := cmp.Diff(*h, again); diff != "" {
		t.Fatalf("the same hello alone (-with more +alone):\n%s", diff)
	}
	if _, err := again.Parse(b[:n-1]); !errors.Is(err, ErrShort) {
		t.Fatalf("%d bytes: got %v, want %v", n-1, err, ErrShort)
	}
	text := h.Fingerprint(QUIC).String()
	var f Fingerprint
	if err := f.UnmarshalText([]byte(text)); err != nil || f != h.Fingerprint(QUIC) {
		t.Fatalf("%s: %v", text, err)
	}
}

func BenchmarkHello(b *testing.B) {
	hostile := spec{version: 0x0303} // as many extensions as MaxHello holds
	for i := range uint16(8000) {
		if e := 0xfffe - 2*i; e > 100 {
			hostile.extensions = append(hostile.extensions, e)
		}
	}
	benchmarks := []struct {
		name  string
		input []byte
	}{{"chrome", publishedSpec(b, 0, true).bytes()}, {"hostile", hostile.bytes()}}
	for _, bb := range benchmarks {
		var h Hello
		if _, err := h.Parse(bb.input); err != nil {
			b.Fatal(err)
		}
		b.Run(bb.name+"/parse", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Parse(bb.input)
			}
		})
		b.Run(bb.name+"/fingerprint", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Fingerprint(TCP)
			}
		})
	}
}

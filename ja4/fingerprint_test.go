package ja4

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// published are fingerprints of captured hellos with the lists they were made of, as FoxIO publishes them: JA4.md, and the
// expected output of its tests (badcurveball, latest, sigalg-grease, tls12, tls-handshake). The lists lack GREASE, which the
// tests put in.
var published = []struct {
	name                         string
	versions                     []uint16
	protocol                     string
	ciphers, extensions, schemes string
	want                         string
}{
	{
		"chrome", []uint16{0x0304, 0x0303}, "h2",
		"1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
		"001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015",
		"0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h2_8daaf6152771_e5627efa2ab1",
	},
	{
		"chrome http/1.1", []uint16{0x0304, 0x0303}, "http/1.1",
		"1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
		"000d,0033,0000,ff01,002b,0023,002d,0005,0012,000b,0017,4469,0010,001b,000a,0015",
		"0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h1_8daaf6152771_e5627efa2ab1",
	},
	{
		"chrome without ALPN", []uint16{0x0304, 0x0303}, "",
		"1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
		"0033,002b,001b,0000,0012,002d,000d,000a,0005,0023,0017,ff01,000b,0015",
		"0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d151400_8daaf6152771_de4a06bb82e3",
	},
	{
		"chrome resuming", []uint16{0x0304, 0x0303}, "h2",
		"1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
		"000d,0010,0000,000b,0023,4469,ff01,0033,000a,002d,002b,0005,0017,0012,001b,0029",
		"0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1516h2_8daaf6152771_9b887d9acb53",
	},
	{
		"chrome with ECH and GREASE among its signature algorithms", []uint16{0x0304, 0x0303}, "h2",
		"1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
		"fe0d,0010,0017,0033,44cd,ff01,000a,000d,0023,002b,000b,ca34,002d,0000,0005,001b,0012",
		"0904,0905,0906,0403,0804,0401,0503,0805,0501,0806,0601",
		"t13d1517h2_8daaf6152771_cb7bf5808d99",
	},
	{
		"chrome with 3DES", []uint16{0x0304, 0x0303}, "h2",
		"1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035,000a",
		"0000,0017,ff01,000a,000b,0023,0010,0005,000d,0012,0033,002d,002b,001b,0015",
		"0403,0804,0401,0503,0805,0501,0806,0601,0201",
		"t13d1615h2_46e7e9700bed_45f260be83e2",
	},
	{
		"firefox", []uint16{0x0304, 0x0303}, "h2",
		"1301,1303,1302,c02b,c02f,cca9,cca8,c02c,c030,c00a,c009,c013,c014,009c,009d,002f,0035",
		"0000,0017,ff01,000a,000b,0023,0010,0005,0022,0033,002b,000d,002d,001c,0015",
		"0403,0503,0603,0804,0805,0806,0401,0501,0601,0203,0201",
		"t13d1715h2_5b57614c22b0_3d5424432f57",
	},
	{
		"windows, TLS 1.2", nil, "",
		"c02c,c02b,c030,c02f,c024,c023,c028,c027,c00a,c009,c014,c013,009d,009c,003d,003c,0035,002f,000a",
		"0000,0005,000a,000b,000d,0023,0017,ff01",
		"0804,0805,0806,0401,0501,0201,0403,0503,0203,0202,0601,0603",
		"t12d190800_d83cc789557e_7af1ed941c26",
	},
}

// values reads a list of hexadecimal values.
func values(t testing.TB, list string) []uint16 {
	t.Helper()
	var values []uint16
	for text := range strings.SplitSeq(list, ",") {
		v, err := strconv.ParseUint(text, 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, uint16(v))
	}
	return values
}

// publishedSpec is the hello of an example; with GREASE where clients put it.
func publishedSpec(t testing.TB, i int, grease bool) spec {
	t.Helper()
	example := published[i]
	s := spec{
		version: 0x0303, name: "www.example.org", versions: slices.Clone(example.versions),
		ciphers: values(t, example.ciphers), extensions: values(t, example.extensions), schemes: values(t, example.schemes),
	}
	if example.protocol != "" {
		s.protocols = []string{example.protocol, "spdy/3"}
	}
	if grease {
		s.ciphers = slices.Insert(s.ciphers, 0, 0x3a3a)
		s.extensions = slices.Insert(s.extensions, len(s.extensions)-1, 0x0a0a)
		s.extensions = slices.Insert(s.extensions, 0, 0xfafa)
		s.schemes = slices.Insert(s.schemes, 2, 0x5a5a)
		s.versions = slices.Insert(s.versions, 0, 0xdada)
	}
	if example.versions == nil {
		s.versions = nil
	}
	return s
}

func TestPublished(t *testing.T) {
	for i, tt := range published {
		t.Run(tt.name, func(t *testing.T) {
			for _, grease := range []bool{false, true} {
				b := publishedSpec(t, i, grease).bytes()
				var h Hello
				if _, err := h.Parse(b); err != nil {
					t.Fatalf("Parse, grease %v: %v", grease, err)
				}
				if got := h.Fingerprint(TCP).String(); got != tt.want {
					t.Errorf("Fingerprint, grease %v: got %s, want %s", grease, got, tt.want)
				}
				if got := serve(t, b); got == nil || got.String() != tt.want {
					t.Errorf("Of, grease %v: got %s, want %s", grease, got, tt.want)
				}
			}
		})
	}
}

// TestFingerprint has the rules that the published examples leave out. Hashes are those of JA4.md where it gives them, else
// of sha256sum.
func TestFingerprint(t *testing.T) {
	many := make([]uint16, 300)
	for i := range many {
		many[i] = uint16(0x2000 + i)
	}
	chrome := values(t, "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015")
	tests := []struct {
		name      string
		hello     Hello
		transport byte
		want      string
	}{
		{"nothing", Hello{}, TCP, "t00i000000_000000000000_000000000000"},
		{"QUIC", Hello{Version: 0x0303}, QUIC, "q12i000000_000000000000_000000000000"},
		{"SSL 3.0", Hello{Version: 0x0300}, TCP, "ts3i000000_000000000000_000000000000"},
		{"TLS 1.0", Hello{Version: 0x0301}, TCP, "t10i000000_000000000000_000000000000"},
		{"TLS 1.1", Hello{Version: 0x0302}, TCP, "t11i000000_000000000000_000000000000"},
		{
			"the highest version counts, not the first",
			Hello{Version: 0x0303, Extensions: []uint16{43, 0}, Versions: []uint16{0xfafa, 0x0302, 0x0304, 0x0303}},
			TCP, "t13d000200_000000000000_b9a491fefe05", // 002b
		},
		{
			"supported_versions of GREASE alone", Hello{Version: 0x0303, Extensions: []uint16{43}, Versions: []uint16{0x0a0a}},
			TCP, "t00i000100_000000000000_b9a491fefe05",
		},
		{"GREASE alone", Hello{Version: 0x0303, Ciphers: []uint16{0x0a0a}, Extensions: []uint16{0xcaca}}, TCP, "t12i000000_000000000000_000000000000"},
		{"not quite GREASE", Hello{Version: 0x0303, Ciphers: []uint16{0x0a1a}}, TCP, "t12i010000_88e6b19cedce_000000000000"},
		{
			"server name and ALPN alone", Hello{Version: 0x0303, Extensions: []uint16{0, 16}, Protocols: []string{"h2"}},
			TCP, "t12d0002h2_000000000000_000000000000",
		},
		{"no signature algorithms", Hello{Version: 0x0303, Extensions: chrome}, TCP, "t00d001600_000000000000_6d807ffa2a79"},
		{"counts end at 99", Hello{Version: 0x0303, Ciphers: many, Extensions: many}, TCP, "t12i999900_971e5d83a31c_971e5d83a31c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.hello.Fingerprint(tt.transport).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestProtocol(t *testing.T) {
	tests := []struct {
		name      string
		protocols []string
		want      string
	}{
		{"none", nil, "00"},
		{"empty", []string{""}, "00"},
		{"first", []string{"h2", "http/1.1"}, "h2"},
		{"long", []string{"http/1.1"}, "h1"},
		{"one character", []string{"x"}, "xx"},
		{"upper case", []string{"Q043Z"}, "QZ"},
		{"one byte", []string{"\xab"}, "ab"},
		{"two bytes", []string{"\xab\xcd"}, "ad"},
		{"last byte", []string{"\x30\xab"}, "3b"},
		{"four bytes", []string{"\x30\x31\xab\xcd"}, "3d"},
		{"inner bytes", []string{"\x30\xab\xcd\x31"}, "01"},
		{"punctuation", []string{"h2/"}, "6f"},
		{"GREASE", []string{"\x8a\x8a", "h2"}, "h2"},
		{"GREASE alone", []string{"\x8a\x8a"}, "00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := Hello{Version: 0x0303, Protocols: tt.protocols}
			if got := h.Fingerprint(TCP).String()[8:10]; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // in the error
	}{
		{"chrome", "t13d1516h2_8daaf6152771_e5627efa2ab1", ""},
		{"QUIC", "q13d0312h3_55b375c5d22e_06cda9e17597", ""},
		{"DTLS", "dd2i010100_55b375c5d22e_06cda9e17597", ""},
		{"none", "", ""},
		{"short", "t13d1516h2", "want 36 characters, have 10"},
		{"JA3", "cd08e31494f9531f560d64c695473da9", "want 36 characters, have 32"},
		{"transport", "x13d1516h2_8daaf6152771_e5627efa2ab1", "want t (TCP), q (QUIC) or d (DTLS) first"},
		{"version", "t14d1516h2_8daaf6152771_e5627efa2ab1", "want a version of 13, 12,"},
		{"server name", "t13x1516h2_8daaf6152771_e5627efa2ab1", "want d (with a server name) or i (without) as character 4"},
		{"count", "t13d15a6h2_8daaf6152771_e5627efa2ab1", "want two numbers of two digits"},
		{"ALPN", "t13d1516h-_8daaf6152771_e5627efa2ab1", "want two letters or digits (ALPN)"},
		{"upper case", "t13d1516h2_8DAAF6152771_e5627efa2ab1", "12 lower-case hexadecimal digits"},
		{"separator", "t13d1516h2_8daaf6152771-e5627efa2ab1", "12 lower-case hexadecimal digits"},
		{"raw", "t13d1516h2_002f,0035,009c,009d,1301,", "12 lower-case hexadecimal digits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f Fingerprint
			err := f.UnmarshalText([]byte(tt.text))
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || f != (Fingerprint{}) {
					t.Errorf("got %v, %v, want an error with %q", f, err, tt.want)
				}
				return
			}
			if text, marshalErr := f.MarshalText(); err != nil || marshalErr != nil || string(text) != tt.text || f.String() != tt.text {
				t.Errorf("got %s, %v, %v, want %s", text, err, marshalErr, tt.text)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	text := `{"t13d1516h2_8daaf6152771_e5627efa2ab1":1}`
	var counts map[Fingerprint]int
	if err := json.Unmarshal([]byte(text), &counts); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(counts); err != nil || string(got) != text {
		t.Errorf("got %s, %v, want %s", got, err, text)
	}
}

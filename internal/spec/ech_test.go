package spec

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
)

// config is an ECHConfig (RFC 9849 §4).
func config(version, kem uint16, public []byte, suites, name string, more ...byte) []byte {
	contents := []byte{7} // config_id
	contents = binary.BigEndian.AppendUint16(contents, kem)
	contents = append(binary.BigEndian.AppendUint16(contents, uint16(len(public))), public...)
	contents = append(binary.BigEndian.AppendUint16(contents, uint16(len(suites))), suites...)
	contents = append(contents, 32, byte(len(name)))
	contents = append(append(contents, name...), 0, 0)
	contents = append(contents, more...)
	return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, version), uint16(len(contents))), contents...)
}

func TestECH(t *testing.T) {
	const suite = "\x00\x01\x00\x01"
	kem := hpke.DHKEM(ecdh.X25519())
	private, err := kem.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	public := private.PublicKey().Bytes()
	good := config(echVersion, kem.ID(), public, suite, "Public.example")
	list := append(binary.BigEndian.AppendUint16(nil, uint16(len(good))), good...)
	two := append(binary.BigEndian.AppendUint16(nil, uint16(2*len(good))), append(good, good...)...)
	key := base64.StdEncoding.EncodeToString(secret)
	tests := []struct {
		name   string
		config []byte
		key    string
		err    string
	}{
		{"good", good, key, ""},
		{"a list", list, key, ""},
		{"a list of two", two, key, "is no ECHConfig"},
		{"another version", config(0xfe0c, kem.ID(), public, suite, "a"), key, "is no ECHConfig"},
		{"no name", config(echVersion, kem.ID(), public, suite, ""), key, "is no ECHConfig"},
		{"no suites", config(echVersion, kem.ID(), public, "", "a"), key, "is no ECHConfig"},
		{"half a suite", config(echVersion, kem.ID(), public, suite+"\x00", "a"), key, "is no ECHConfig"},
		{"more behind", config(echVersion, kem.ID(), public, suite, "a", 0), key, "is no ECHConfig"},
		{"another KEM", config(echVersion, 0x7777, public, suite, "a"), key, "KEM 0x7777, which is not supported"},
		{"another's key", config(echVersion, kem.ID(), bytes.Repeat([]byte{9}, 32), suite, "a"), key, "make no pair"},
		{"half a key", good, base64.StdEncoding.EncodeToString(secret[:16]), "has a key that is none of its KEM"},
		{"no base64", good, "?", "has a key that is no base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, name, err := ECH{Config: base64.StdEncoding.EncodeToString(tt.config), Key: tt.key}.Parse()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || !bytes.Equal(got.Config, good) || !bytes.Equal(got.PrivateKey, secret) || name != "public.example" {
				t.Errorf("got %x for %q, error %v", got.Config, name, err)
			}
		})
	}
	for i := range good {
		if _, _, err := (ECH{Config: base64.StdEncoding.EncodeToString(good[:i]), Key: key}).Parse(); err == nil {
			t.Errorf("its first %d bytes: got no error", i)
		}
	}
	if _, _, err := (ECH{Config: "?", Key: key}).Parse(); err == nil {
		t.Error("no base64: got no error")
	}
}

// FuzzECH wants no panic, and of what is accepted a pair.
func FuzzECH(f *testing.F) {
	f.Add(config(echVersion, 0x20, bytes.Repeat([]byte{9}, 32), "\x00\x01\x00\x01", "public.example"))
	f.Add([]byte{0xfe, 0x0d, 0, 1, 0})
	f.Fuzz(func(t *testing.T, config []byte) {
		kem, public, name, ok := echConfig(config)
		if ok && (name == "" || len(public)+len(name) > len(config)) {
			t.Errorf("got KEM %d, a key of %d bytes and name %q of %d bytes", kem, len(public), name, len(config))
		}
	})
}

package spec

import (
	"bytes"
	"crypto/hpke"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ECH is a configuration for Encrypted Client Hello and its private key. Clients find the configuration in the DNS.
type ECH struct {
	// Config is an ECHConfig, or the ECHConfigList of one, in base64, as an HTTPS record has it.
	Config string `yaml:"config"`
	// Key is the HPKE private key that belongs to it, in base64.
	Key string `yaml:"key"`
}

// echVersion is the version of the ECHConfig that is understood (RFC 9849 §4).
const echVersion = 0xfe0d

var errECHConfig = errors.New("is no ECHConfig of version 0xfe0d: want the ech value of an HTTPS record, with one configuration")

// Parse reads the pair, makes sure that it is one, and returns it with the name that hides the others: what clients ask for in the clear.
func (e ECH) Parse() (key tls.EncryptedClientHelloKey, publicName string, err error) {
	config, err := base64.StdEncoding.DecodeString(e.Config)
	if err != nil {
		return key, "", fmt.Errorf("is no base64: %w", err)
	}
	private, err := base64.StdEncoding.DecodeString(e.Key)
	if err != nil {
		return key, "", fmt.Errorf("has a key that is no base64: %w", err)
	}
	if len(config) > 4 && int(binary.BigEndian.Uint16(config)) == len(config)-2 { // a list
		config = config[2:]
	}
	kem, public, name, ok := echConfig(config)
	if !ok {
		return key, "", errECHConfig
	}
	k, err := hpke.NewKEM(kem)
	if err != nil {
		return key, "", fmt.Errorf("has KEM %#04x, which is not supported", kem)
	}
	secret, err := k.NewPrivateKey(private)
	if err != nil {
		return key, "", fmt.Errorf("has a key that is none of its KEM %#04x: %w", kem, err)
	}
	if !bytes.Equal(secret.PublicKey().Bytes(), public) {
		return key, "", errors.New("and the key make no pair")
	}
	return tls.EncryptedClientHelloKey{Config: config, PrivateKey: private}, strings.ToLower(name), nil
}

// echConfig takes one ECHConfig apart, as far as it is of interest here.
func echConfig(config []byte) (kem uint16, public []byte, name string, ok bool) {
	if len(config) < 4 || binary.BigEndian.Uint16(config) != echVersion || int(binary.BigEndian.Uint16(config[2:])) != len(config)-4 {
		return 0, nil, "", false
	}
	rest := config[4:]
	if len(rest) < 3 {
		return 0, nil, "", false
	}
	kem = binary.BigEndian.Uint16(rest[1:])
	public, rest, ok = prefixed(rest[3:], 2)
	var suites, hidden []byte
	if ok {
		suites, rest, ok = prefixed(rest, 2)
	}
	if !ok || len(suites) == 0 || len(suites)%4 != 0 || len(rest) < 1 {
		return 0, nil, "", false
	}
	if hidden, rest, ok = prefixed(rest[1:], 1); ok {
		_, rest, ok = prefixed(rest, 2)
	}
	return kem, public, string(hidden), ok && len(hidden) > 0 && len(rest) == 0
}

// prefixed is a vector whose length comes before it, in so many bytes.
func prefixed(b []byte, bytes int) (vector, rest []byte, ok bool) {
	if len(b) < bytes {
		return nil, nil, false
	}
	n := int(b[0])
	if bytes == 2 {
		n = n<<8 | int(b[1])
	}
	if b = b[bytes:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

package ja4

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// The transports that a hello comes over.
const (
	TCP  byte = 't' // TLS over TCP
	QUIC byte = 'q'
)

// Fingerprint is JA4: ten characters that tell transport, highest version, server name or not, the numbers of cipher suites
// and of extensions, and the first protocol of ALPN; twelve of a hash of the cipher suites; and twelve of a hash of the
// extensions and signature algorithms: "t13d1516h2_8daaf6152771_e5627efa2ab1". The zero Fingerprint is that of no hello,
// and its text is empty.
type Fingerprint [36]byte

// noHash stands for the hash of an empty list.
const noHash = "000000000000"

const hexDigits = "0123456789abcdef"

// Fingerprint returns the JA4 of a hello that came over a transport, TCP or QUIC. A hello of thousands of cipher suites or
// extensions costs memory in proportion, others none.
func (h *Hello) Fingerprint(transport byte) Fingerprint {
	version := h.Version
	if slices.Contains(h.Extensions, extensionSupportedVersions) {
		version = highest(h.Versions)
	}
	return fingerprint(transport, version, h.Ciphers, h.Extensions, h.SignatureSchemes, h.Protocols)
}

// Of returns the JA4 of the hello that crypto/tls tells of, which came over a transport, TCP or QUIC. It is the hello's
// Fingerprint, save for clients of neither supported_versions nor TLS 1.0 to 1.3: crypto/tls doesn't tell their version,
// which shows as 00 if it is lower and 13 if it is higher.
func Of(info *tls.ClientHelloInfo, transport byte) Fingerprint {
	version := highest(info.SupportedVersions)
	return fingerprint(transport, version, info.CipherSuites, info.Extensions, info.SignatureSchemes, info.SupportedProtos)
}

// fingerprint puts a fingerprint together.
func fingerprint[S ~uint16](transport byte, version uint16, ciphers, extensions []uint16, schemes []S, protocols []string) Fingerprint {
	var room [128]uint16 // for all but hostile hellos
	list := appendReal(room[:0], ciphers)
	f := make([]byte, 0, len(Fingerprint{}))
	f = append(f, transport)
	f = append(f, versionText(version)...)
	if slices.Contains(extensions, extensionServerName) {
		f = append(f, 'd')
	} else {
		f = append(f, 'i')
	}
	f = appendCount(f, len(list))
	f = appendCount(f, len(extensions)-countGrease(extensions))
	f = appendProtocol(f, protocols)
	slices.Sort(list)
	f = appendHash(append(f, '_'), list, nil)

	list = slices.DeleteFunc(appendReal(list[:0], extensions), func(extension uint16) bool {
		return extension == extensionServerName || extension == extensionALPN
	})
	slices.Sort(list)
	var more [128]uint16
	f = appendHash(append(f, '_'), list, appendReal(more[:0], schemes))
	return Fingerprint(f)
}

// isGrease reports whether a value means nothing but that servers have to bear it (RFC 8701).
func isGrease(v uint16) bool {
	return v&0x0f0f == 0x0a0a && v>>8 == v&0xff
}

// countGrease returns how many values are GREASE.
func countGrease(values []uint16) int {
	n := 0
	for _, v := range values {
		if isGrease(v) {
			n++
		}
	}
	return n
}

// appendReal appends the values that are not GREASE.
func appendReal[T ~uint16](dst []uint16, values []T) []uint16 {
	dst = slices.Grow(dst, len(values))
	for _, v := range values {
		if !isGrease(uint16(v)) {
			dst = append(dst, uint16(v))
		}
	}
	return dst
}

// highest returns the highest version that is not GREASE, 0 if there is none.
func highest(versions []uint16) uint16 {
	version := uint16(0)
	for _, v := range versions {
		if !isGrease(v) {
			version = max(version, v)
		}
	}
	return version
}

// versionText returns a version's two characters.
func versionText(version uint16) string {
	switch version {
	case tls.VersionTLS13:
		return "13"
	case tls.VersionTLS12:
		return "12"
	case tls.VersionTLS11:
		return "11"
	case tls.VersionTLS10:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	case 0xfeff: // DTLS 1.0
		return "d1"
	case 0xfefd:
		return "d2"
	case 0xfefc:
		return "d3"
	}
	return "00"
}

// appendCount appends a number of two digits, 99 if it has more.
func appendCount(dst []byte, n int) []byte {
	n = min(n, 99)
	return append(dst, '0'+byte(n/10), '0'+byte(n%10))
}

// appendProtocol appends the first and the last character of the first protocol that is not GREASE, of its hexadecimal form
// if one of the two is not a letter or digit, and 00 if there is no protocol.
func appendProtocol(dst []byte, protocols []string) []byte {
	i := slices.IndexFunc(protocols, func(p string) bool {
		return len(p) != 2 || !isGrease(uint16(p[0])<<8|uint16(p[1]))
	})
	if i < 0 || protocols[i] == "" {
		return append(dst, "00"...)
	}
	first, last := protocols[i][0], protocols[i][len(protocols[i])-1]
	if isAlphanumeric(first) && isAlphanumeric(last) {
		return append(dst, first, last)
	}
	return append(dst, hexDigits[first>>4], hexDigits[last&0xf])
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// appendHash appends twelve characters of the SHA-256 of a list and, if there are any, of signature schemes after it.
func appendHash(dst []byte, list, schemes []uint16) []byte {
	if len(list) == 0 {
		return append(dst, noHash...)
	}
	text := make([]byte, 0, 1024) // on the stack, for all but hostile hellos
	text = appendList(slices.Grow(text, 5*(len(list)+len(schemes))), list)
	if len(schemes) > 0 {
		text = appendList(append(text, '_'), schemes)
	}
	sum := sha256.Sum256(text)
	return hex.AppendEncode(dst, sum[:len(noHash)/2])
}

// appendList appends values as four hexadecimal digits each, with commas between.
func appendList(dst []byte, values []uint16) []byte {
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, hexDigits[v>>12], hexDigits[v>>8&0xf], hexDigits[v>>4&0xf], hexDigits[v&0xf])
	}
	return dst
}

// String returns the fingerprint's text, 36 characters, or "" if it is that of no hello.
func (f Fingerprint) String() string {
	if f == (Fingerprint{}) {
		return ""
	}
	return string(f[:])
}

// MarshalText returns what String does, and never fails.
func (f Fingerprint) MarshalText() ([]byte, error) {
	return []byte(f.String()), nil
}

// UnmarshalText reads the text of a fingerprint. Of a text that is none it says what would be right.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*f = Fingerprint{}
		return nil
	}
	if err := check(text); err != nil {
		return fmt.Errorf("%.80q is not a JA4 fingerprint such as t13d1516h2_8daaf6152771_e5627efa2ab1: %w", text, err)
	}
	*f = Fingerprint(text)
	return nil
}

// check says what would be right of a text that is not a fingerprint.
func check(text []byte) error {
	if len(text) != len(Fingerprint{}) {
		return fmt.Errorf("want %d characters, have %d", len(Fingerprint{}), len(text))
	}
	switch version := string(text[1:3]); {
	case text[0] != TCP && text[0] != QUIC && text[0] != 'd':
		return errors.New("want t (TCP), q (QUIC) or d (DTLS) first")
	case !slices.Contains([]string{"13", "12", "11", "10", "s3", "s2", "d1", "d2", "d3", "00"}, version):
		return errors.New("want a version of 13, 12, 11, 10, s3, s2, d1, d2, d3 or 00 as characters 2 and 3")
	case text[3] != 'd' && text[3] != 'i':
		return errors.New("want d (with a server name) or i (without) as character 4")
	case !all(text[4:8], isDigit):
		return errors.New("want two numbers of two digits (cipher suites, extensions) as characters 5 to 8")
	case !all(text[8:10], isAlphanumeric):
		return errors.New("want two letters or digits (ALPN) as characters 9 and 10")
	case text[10] != '_' || text[23] != '_' || !all(text[11:23], isHex) || !all(text[24:], isHex):
		return errors.New("want _, 12 lower-case hexadecimal digits, _, and 12 more, from character 11 on")
	}
	return nil
}

func all(text []byte, is func(byte) bool) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return !is(c) })
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c && c <= 'f' }

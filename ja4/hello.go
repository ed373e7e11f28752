package ja4

import (
	"math/bits"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// The extensions that tell who speaks (IANA, TLS ExtensionType Values).
const (
	extensionServerName          = 0
	extensionSupportedGroups     = 10
	extensionSignatureAlgorithms = 13
	extensionALPN                = 16
	extensionSessionTicket       = 35
	extensionPreSharedKey        = 41
	extensionSupportedVersions   = 43
	extensionECH                 = 0xfe0d
)

// kept is the largest capacity of a list that a Hello keeps for the next Parse, in elements. No client's list is as long.
const kept = 256

// Hello is a ClientHello (RFC 8446 §4.1.2), as far as it tells who speaks. Its slices and strings are its own: nothing points
// into what was parsed. Together they take at most eight times MaxHello.
type Hello struct {
	Length           int      // of the message in bytes, without its header
	Version          uint16   // legacy_version
	Ciphers          []uint16 // cipher_suites, in order, GREASE included
	Extensions       []uint16 // their types, in order, GREASE included, each once
	ServerName       string   // host_name in lower case, "" if none; else any bytes but for a dot at the end
	Protocols        []string // ALPN, in order
	SignatureSchemes []uint16 // signature_algorithms, in order, GREASE included
	Versions         []uint16 // supported_versions, in order, GREASE included
	Curves           []uint16 // supported_groups, in order, GREASE included
	Ticket           bool     // offers to resume: a session_ticket that is not empty, or a pre_shared_key
	ECH              bool     // encrypted_client_hello of type outer (RFC 9849), be it real or the GREASE that browsers send
}

// Parse reads the ClientHello that a TLS connection begins with. b is what has arrived so far: TLS records, over which the
// hello may be split, and whatever follows them. The hello takes the first n bytes of b, whole records.
//
// The error is ErrShort if more bytes are needed, else ErrHTTP, ErrNotTLS, ErrTooLarge or ErrMalformed (told apart with
// errors.Is). After an error h holds nothing of use.
//
// A Hello can be used again: Parse replaces all of it and keeps the memory of its lists, so copy what has to outlive the next.
func (h *Hello) Parse(b []byte) (n int, err error) {
	body, n, err := message(b)
	if err != nil {
		return 0, err
	}
	*h = Hello{
		Length: len(body), Ciphers: empty(h.Ciphers), Extensions: empty(h.Extensions), Protocols: empty(h.Protocols),
		SignatureSchemes: empty(h.SignatureSchemes), Versions: empty(h.Versions), Curves: empty(h.Curves),
	}
	if err := h.parse(body); err != nil {
		return 0, err
	}
	return n, nil
}

// empty returns a list's memory, unless it is more than is worth keeping.
func empty[T any](list []T) []T {
	if cap(list) > kept {
		return nil
	}
	return list[:0]
}

// parse reads the body of the handshake message.
func (h *Hello) parse(s cryptobyte.String) error {
	var sessionID, ciphers, compression, extensions cryptobyte.String
	if !s.ReadUint16(&h.Version) || !s.Skip(32) || !s.ReadUint8LengthPrefixed(&sessionID) { // 32 bytes of random
		return malformed("it ends before its cipher_suites")
	}
	if !s.ReadUint16LengthPrefixed(&ciphers) || !readUint16s(&h.Ciphers, ciphers) {
		return malformed("cipher_suites")
	}
	if !s.ReadUint8LengthPrefixed(&compression) {
		return malformed("legacy_compression_methods")
	}
	if s.Empty() {
		return nil // as TLS 1.2 allows
	}
	if !s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return malformed("extensions have another length than the message leaves them")
	}
	for !extensions.Empty() {
		var extension uint16
		var data cryptobyte.String
		if !extensions.ReadUint16(&extension) || !extensions.ReadUint16LengthPrefixed(&data) {
			return malformed("an extension is cut off")
		}
		h.Extensions = append(h.Extensions, extension)
		if extension == extensionPreSharedKey && !extensions.Empty() {
			return malformed("pre_shared_key is not the last extension")
		}
		if err := h.parseExtension(extension, data); err != nil {
			return err
		}
	}
	if repeats(h.Extensions) {
		return malformed("an extension occurs twice")
	}
	return nil
}

// parseExtension reads an extension's data, if Hello tells of it.
func (h *Hello) parseExtension(extension uint16, data cryptobyte.String) error {
	var list cryptobyte.String
	switch extension {
	case extensionServerName:
		return h.parseServerName(data)
	case extensionALPN:
		return h.parseProtocols(data)
	case extensionSupportedGroups:
		if !data.ReadUint16LengthPrefixed(&list) || !data.Empty() || list.Empty() || !readUint16s(&h.Curves, list) {
			return malformed("supported_groups")
		}
	case extensionSignatureAlgorithms:
		if !data.ReadUint16LengthPrefixed(&list) || !data.Empty() || list.Empty() || !readUint16s(&h.SignatureSchemes, list) {
			return malformed("signature_algorithms")
		}
	case extensionSupportedVersions:
		if !data.ReadUint8LengthPrefixed(&list) || !data.Empty() || list.Empty() || !readUint16s(&h.Versions, list) {
			return malformed("supported_versions")
		}
	case extensionSessionTicket:
		h.Ticket = len(data) > 0
	case extensionPreSharedKey:
		h.Ticket = true
	case extensionECH:
		h.ECH = len(data) > 0 && data[0] == 0 // ECHClientHelloType outer
	}
	return nil
}

// parseServerName reads server_name (RFC 6066 §3).
func (h *Hello) parseServerName(data cryptobyte.String) error {
	var list cryptobyte.String
	if !data.ReadUint16LengthPrefixed(&list) || !data.Empty() || list.Empty() {
		return malformed("server_name")
	}
	for !list.Empty() {
		var nameType uint8
		var name cryptobyte.String
		if !list.ReadUint8(&nameType) || !list.ReadUint16LengthPrefixed(&name) || name.Empty() {
			return malformed("server_name")
		}
		switch {
		case nameType != 0: // not a host_name
		case h.ServerName != "":
			return malformed("server_name has two host names")
		case name[len(name)-1] == '.':
			return malformed("server_name ends in a dot")
		default:
			h.ServerName = lower(name)
		}
	}
	return nil
}

// lower returns a name in lower case, as far as it is ASCII.
func lower(name []byte) string {
	text := append(make([]byte, 0, 256), name...) // on the stack, if it is the name of a host
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			text[i] += 'a' - 'A'
		}
	}
	return string(text)
}

// parseProtocols reads application_layer_protocol_negotiation (RFC 7301 §3.1). The usual protocols cost no memory; all others
// of a hello share one string.
func (h *Hello) parseProtocols(data cryptobyte.String) error {
	var list cryptobyte.String
	if !data.ReadUint16LengthPrefixed(&list) || !data.Empty() || list.Empty() {
		return malformed("ALPN")
	}
	n := 0
	for rest := list; !rest.Empty(); n++ {
		var protocol cryptobyte.String
		if !rest.ReadUint8LengthPrefixed(&protocol) || protocol.Empty() {
			return malformed("ALPN")
		}
	}
	h.Protocols = slices.Grow(h.Protocols, n)
	all := ""
	for i := 0; i < len(list); {
		end := i + 1 + int(list[i])
		switch protocol := list[i+1 : end]; string(protocol) {
		case "h2":
			h.Protocols = append(h.Protocols, "h2")
		case "http/1.1":
			h.Protocols = append(h.Protocols, "http/1.1")
		case "h3":
			h.Protocols = append(h.Protocols, "h3")
		default:
			if all == "" {
				all = string(list)
			}
			h.Protocols = append(h.Protocols, all[i+1:end])
		}
		i = end
	}
	return nil
}

// readUint16s reads all of s into an empty list, and reports whether it is a whole number of them.
func readUint16s(list *[]uint16, s cryptobyte.String) bool {
	values := slices.Grow((*list)[:0], len(s)/2)
	for len(s) >= 2 {
		values = append(values, uint16(s[0])<<8|uint16(s[1]))
		s = s[2:]
	}
	*list = values
	return len(s) == 0
}

// few is the number of values up to which comparing each with each is the cheaper way to find out if one repeats.
const few = 32

// repeats reports whether a value occurs twice.
func repeats(values []uint16) bool {
	if len(values) > few {
		return repeatsAmongMany(values)
	}
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			return true
		}
	}
	return false
}

// repeatsAmongMany is repeats for any number of values. It is apart for its 8 KiB of stack.
//
//go:noinline
func repeatsAmongMany(values []uint16) bool {
	var seen [(1 << 16) / bits.UintSize]uint
	for _, v := range values {
		word, bit := v/bits.UintSize, uint(1)<<(v%bits.UintSize)
		if seen[word]&bit != 0 {
			return true
		}
		seen[word] |= bit
	}
	return false
}

package ja4

import (
	"encoding/binary"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// spec is a hello to be built: what of it a test wants, in the order of extensions.
type spec struct {
	version    uint16
	ciphers    []uint16
	extensions []uint16
	name       string
	protocols  []string
	versions   []uint16
	schemes    []uint16
	data       map[uint16][]byte // of extensions, instead of what is right
}

// body returns the body of the ClientHello.
func (s spec) body() []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddUint16(s.version)
	b.AddBytes(make([]byte, 32))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, 32)) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addUint16s(b, s.ciphers) })
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint8(0) })
	if s.extensions == nil {
		return b.BytesOrPanic()
	}
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, e := range s.extensions {
			b.AddUint16(e)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { s.addData(b, e) })
		}
	})
	return b.BytesOrPanic()
}

// addData adds an extension's data, in a form that crypto/tls takes.
func (s spec) addData(b *cryptobyte.Builder, extension uint16) {
	if data, ok := s.data[extension]; ok {
		b.AddBytes(data)
		return
	}
	switch extension {
	case extensionServerName:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint8(0)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(s.name)) })
		})
	case extensionALPN:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, p := range s.protocols {
				b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(p)) })
			}
		})
	case extensionSupportedVersions:
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { addUint16s(b, s.versions) })
	case extensionSignatureAlgorithms:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addUint16s(b, s.schemes) })
	case extensionSupportedGroups:
		b.AddBytes([]byte{0, 4, 0x8a, 0x8a, 0, 29})
	case 5: // status_request
		b.AddBytes([]byte{1, 0, 0, 0, 0})
	case 11: // ec_point_formats
		b.AddBytes([]byte{1, 0})
	case extensionPreSharedKey:
		b.AddBytes([]byte{0, 7, 0, 1, 'x', 0, 0, 0, 0, 0, 2, 1, 'y'})
	case 45: // psk_key_exchange_modes
		b.AddBytes([]byte{1, 1})
	case 51: // key_share
		b.AddBytes([]byte{0, 5, 0, 29, 0, 1, 'z'})
	case 0xff01: // renegotiation_info
		b.AddBytes([]byte{0})
	}
}

func addUint16s(b *cryptobyte.Builder, values []uint16) {
	for _, v := range values {
		b.AddUint16(v)
	}
}

// handshake puts a handshake header before a body.
func handshake(messageType byte, body []byte) []byte {
	b := []byte{messageType, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}
	return append(b, body...)
}

// records splits a message into records of at most size bytes.
func records(message []byte, size int) []byte {
	var b []byte
	for part := range slices.Chunk(message, size) {
		b = append(b, typeHandshake, 3, 1)
		b = binary.BigEndian.AppendUint16(b, uint16(len(part)))
		b = append(b, part...)
	}
	return b
}

// bytes returns the hello as a client sends it, in one record where that is possible.
func (s spec) bytes() []byte {
	return records(handshake(typeClientHello, s.body()), maxPlaintext)
}

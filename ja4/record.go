package ja4

import (
	"encoding/binary"
	"errors"
)

const (
	// MaxHello is the length of the longest ClientHello that Parse takes, in bytes: half of crypto/tls's maximum of 64 KiB.
	// Browsers send at most 2 KiB; what makes hellos long is a ticket that carries a chain of client certificates.
	MaxHello = 32 << 10

	// MaxRecords is the largest number of TLS records that a hello may be split over. Most clients send one; those that
	// hide the server name from filters send a few.
	MaxRecords = 64

	// MaxInput is a number of bytes that is always enough: of as many, Parse never says ErrShort.
	MaxInput = handshakeHeader + MaxHello + MaxRecords*recordHeader + maxPlaintext

	recordHeader    = 5       // type, legacy_record_version, length (RFC 8446 §5.1)
	handshakeHeader = 4       // msg_type, length (RFC 8446 §4)
	maxPlaintext    = 1 << 14 // bytes of a record (RFC 8446 §5.1)

	typeHandshake   = 22 // ContentType
	typeClientHello = 1  // HandshakeType
)

var (
	// ErrShort says that the hello has not arrived whole.
	ErrShort = errors.New("ja4: the ClientHello has not arrived whole")

	// ErrHTTP says that the connection begins with a plain HTTP request.
	ErrHTTP = errors.New("ja4: a plain HTTP request, where TLS was to begin")

	// ErrNotTLS says that the connection begins with neither TLS nor HTTP.
	ErrNotTLS = errors.New("ja4: this is not the beginning of a TLS connection")

	// ErrTooLarge says that the hello is longer than MaxHello or split over more records than MaxRecords.
	ErrTooLarge = errors.New("ja4: the ClientHello has more than 32 KiB or 64 records")

	// ErrMalformed is what errors about a hello that breaks a rule of its form are; they say which.
	ErrMalformed = errors.New("ja4: malformed ClientHello")
)

// malformed is an ErrMalformed that says why. Its texts are constant, so that a bad hello costs no allocation.
type malformed string

func (m malformed) Error() string        { return ErrMalformed.Error() + ": " + string(m) }
func (m malformed) Is(target error) bool { return target == ErrMalformed }

// message finds the first handshake message in the records that b begins with. It returns the message's body, which is part
// of b if one record holds all of it, and the length of the records.
func message(b []byte) (body []byte, n int, err error) {
	size, n, err := measure(b)
	if err != nil {
		return nil, 0, err
	}
	if first := recordHeader + recordLength(b); recordHeader+size <= first {
		return b[recordHeader+handshakeHeader : recordHeader+size], n, nil
	}
	joined := make([]byte, 0, size)
	for rest := b; len(joined) < size; {
		end := recordHeader + recordLength(rest)
		joined = append(joined, rest[recordHeader:min(end, recordHeader+size-len(joined))]...)
		rest = rest[end:]
	}
	return joined[handshakeHeader:], n, nil
}

// measure returns the size of the first handshake message in b, its header included, and the length of the records that
// hold it. It fails as soon as it can.
func measure(b []byte) (size, n int, err error) {
	var header [handshakeHeader]byte // of the message, which may be split too
	size = handshakeHeader           // at least
	got := 0
	for range MaxRecords {
		record := b[n:]
		if err := checkHeader(record, n == 0); err != nil {
			return 0, 0, err
		}
		length := recordLength(record)
		arrived := record[recordHeader:min(len(record), recordHeader+length)]
		if got < handshakeHeader {
			seen := got + copy(header[got:], arrived)
			if seen > 0 && header[0] != typeClientHello {
				return 0, 0, malformed("the first handshake message is of another type")
			}
			if seen == handshakeHeader {
				size = handshakeHeader + int(binary.BigEndian.Uint32(header[:])&0xffffff)
			}
			if size > handshakeHeader+MaxHello {
				return 0, 0, ErrTooLarge
			}
		}
		if len(arrived) < length {
			return 0, 0, ErrShort
		}
		got += length
		n += recordHeader + length
		if got >= size {
			return size, n, nil
		}
	}
	return 0, 0, ErrTooLarge
}

// checkHeader checks as much of a record's header as has arrived; ErrShort means that it is good so far.
func checkHeader(record []byte, first bool) error {
	if len(record) > 0 && record[0] != typeHandshake {
		switch {
		case !first:
			return malformed("a record of another type is inside")
		case isHTTP(record):
			return ErrHTTP
		}
		return ErrNotTLS
	}
	// RFC 8446 wants the version ignored. No client of any version says 16 or more, so that isn't TLS (as crypto/tls has it).
	if len(record) > 1 && record[1] >= 0x10 {
		return ErrNotTLS
	}
	if len(record) < recordHeader {
		return ErrShort
	}
	switch length := recordLength(record); {
	case length == 0:
		return malformed("an empty record")
	case length > maxPlaintext:
		return malformed("a record of more than 16384 bytes")
	}
	return nil
}

// recordLength returns the length that a record's header gives.
func recordLength(record []byte) int {
	return int(binary.BigEndian.Uint16(record[3:]))
}

// isHTTP reports whether b is the beginning of an HTTP request, or of HTTP/2 (RFC 9113 §3.4), as far as it goes.
func isHTTP(b []byte) bool {
	for _, method := range [...]string{
		"GET ", "POST ", "HEAD ", "OPTIONS ", "PUT ", "DELETE ", "PATCH ", "CONNECT ", "TRACE ", "PRI ",
	} {
		if n := min(len(b), len(method)); string(b[:n]) == method[:n] {
			return true
		}
	}
	return false
}

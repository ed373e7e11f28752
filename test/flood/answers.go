package flood

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/dns/dnsmessage"
)

// The protocols whose servers are used as reflectors.
const (
	dns = iota
	ntp
	ssdp
	cldap
	memcached
	isakmp
)

// A reflector answers whoever seems to ask, with more than it was asked.
type reflector struct {
	port   uint16
	answer func(random []byte) ([]byte, error) // at most maxSegment less a UDP header
}

var reflectors = [...]reflector{
	dns:       {53, dnsAnswer},
	ntp:       {123, monlist},
	ssdp:      {1900, searchResponse},
	cldap:     {389, rootEntry},
	memcached: {11211, memcachedValue},
	isakmp:    {500, isakmpResponse},
}

// answers of all of them.
func answers(random []byte) ([][]byte, error) {
	var all [][]byte
	for _, r := range reflectors {
		answer, err := r.answer(random)
		if err == nil && len(answer) > maxSegment-udpHeader {
			err = fmt.Errorf("port %d: %d bytes: want %d at the most", r.port, len(answer), maxSegment-udpHeader)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, answer)
	}
	return all, nil
}

// dnsAnswer is one to a question for everything, with long texts.
func dnsAnswer([]byte) ([]byte, error) {
	name, err := dnsmessage.NewName("example.org.")
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeALL, Class: dnsmessage.ClassINET}},
	}
	for i := range 5 {
		text := make([]byte, 240)
		for j := range text {
			text[j] = 'a' + byte(i+j)%26
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 3600},
			Body:   &dnsmessage.TXTResource{TXT: []string{string(text)}},
		})
	}
	return m.Pack()
}

// monlist is one packet of ntpd's list of clients: mode 7, request 42, six items of 72 bytes.
func monlist(random []byte) ([]byte, error) {
	const items, size = 6, 72
	b := []byte{0xd7, 0, 3, 42, 0, items, 0, size} // response, more to come, version 2
	return append(b, random[:items*size]...), nil
}

// searchResponse is a device's answer to M-SEARCH (UPnP Device Architecture 1.1, 1.3.3).
func searchResponse([]byte) ([]byte, error) {
	return []byte("HTTP/1.1 200 OK\r\n" +
		"CACHE-CONTROL: max-age=1800\r\n" +
		"EXT:\r\n" +
		"LOCATION: http://192.0.2.1:49152/device.xml\r\n" +
		"SERVER: Linux/4.4 UPnP/1.1 gateway/2.0\r\n" +
		"ST: urn:schemas-upnp-org:service:WANIPConnection:1\r\n" +
		"USN: uuid:00000000-0000-4000-8000-000000000000::urn:schemas-upnp-org:service:WANIPConnection:1\r\n\r\n"), nil
}

// rootEntry is a directory's answer to a search of its root: a SearchResultEntry and a SearchResultDone (RFC 4511, 4.5.2).
func rootEntry([]byte) ([]byte, error) {
	const (
		integer, octets, enumerated = 0x02, 0x04, 0x0a
		sequence, set               = 0x30, 0x31
		entry, done                 = 0x64, 0x65
	)
	var attributes []byte
	for _, attribute := range [][]string{
		{"currentTime", "20260101000000.0Z"},
		{"subschemaSubentry", "CN=Aggregate,CN=Schema,CN=Configuration,DC=example,DC=org"},
		{"namingContexts", "DC=example,DC=org", "CN=Configuration,DC=example,DC=org", "DC=DomainDnsZones,DC=example,DC=org"},
		{"supportedControl", "1.2.840.113556.1.4.319", "1.2.840.113556.1.4.473", "1.2.840.113556.1.4.528", "1.2.840.113556.1.4.801"},
		{"supportedLDAPVersion", "3", "2"},
		{"supportedLDAPPolicies", "MaxPoolThreads", "MaxPercentDirSyncRequests", "MaxDatagramRecv", "MaxReceiveBuffer", "InitRecvTimeout"},
		{"supportedSASLMechanisms", "GSSAPI", "GSS-SPNEGO", "EXTERNAL", "DIGEST-MD5"},
		{"dnsHostName", "dc.example.org"},
	} {
		var values []byte
		for _, value := range attribute[1:] {
			values = append(values, ber(octets, []byte(value))...)
		}
		attributes = append(attributes, ber(sequence, ber(octets, []byte(attribute[0])), ber(set, values))...)
	}
	id := ber(integer, []byte{7})
	return append(
		ber(sequence, id, ber(entry, ber(octets), ber(sequence, attributes))),
		ber(sequence, id, ber(done, ber(enumerated, []byte{0}), ber(octets), ber(octets)))...), nil
}

// ber is a tag, the length in as few bytes as it takes, and the content (X.690).
func ber(tag byte, content ...[]byte) []byte {
	n := 0
	for _, c := range content {
		n += len(c)
	}
	b := []byte{tag}
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	default:
		b = binary.BigEndian.AppendUint16(append(b, 0x82), uint16(n))
	}
	for _, c := range content {
		b = append(b, c...)
	}
	return b
}

// memcachedValue is one datagram of a large value: the frame that UDP has (request, number, total, 0), then text (memcached's
// protocol.txt).
func memcachedValue([]byte) ([]byte, error) {
	b := []byte{0, 1, 0, 0, 0, 64, 0, 0}
	b = append(b, "VALUE a 0 89600\r\n"...)
	for i := len(b); i < maxSegment-udpHeader; i++ {
		b = append(b, 'a')
	}
	return b, nil
}

// isakmpResponse is a responder's first message in main mode: the header, a security association with one proposal and one
// transform, and a vendor's ID (RFC 2408, 3.1 to 3.16).
func isakmpResponse(random []byte) ([]byte, error) {
	transform := []byte{
		0, 0, 0, 36, 1, 1, 0, 0, // the last one, number 1, KEY_IKE
		0x80, 1, 0, 7, 0x80, 2, 0, 2, 0x80, 3, 0, 1, 0x80, 4, 0, 2, // AES, SHA-1, a shared key, group 2
		0x80, 11, 0, 1, 0, 12, 0, 4, 0, 1, 0x51, 0x80, // for a day
	}
	proposal := append([]byte{0, 0, 0, byte(8 + len(transform)), 1, 1, 0, 1}, transform...)
	association := append([]byte{13, 0, 0, byte(12 + len(proposal)), 0, 0, 0, 1, 0, 0, 0, 1}, proposal...)
	vendor := append([]byte{0, 0, 0, 20}, random[:16]...)
	b := append([]byte(nil), random[16:32]...)                           // the cookies
	b = append(b, 1, 0x10, 2, 0, 0, 0, 0, 0)                             // next is the association; version 1.0, main mode
	b = binary.BigEndian.AppendUint32(b, uint32(28+len(association)+20)) // all of it
	return append(append(b, association...), vendor...), nil
}

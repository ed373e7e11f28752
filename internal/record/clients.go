package record

import (
	"encoding/binary"
	"net/netip"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/prefixes"
)

// clients remembers what lines say of a shard's latest clients: most requests are not their client's only one. An address has one slot,
// where a newer client takes an older one's place, so whoever picks addresses that meet there only pays what each line cost anyway. All
// are forgotten with a day's key: no address is kept beside its hash of another day.
type clients struct {
	key   *dayKey // nil where addresses are written whole
	slots [64]clientText
}

// clientText is what a line says of a client, from its comma to its last quote.
type clientText struct {
	addr   netip.Addr
	length int // 0 if the slot is empty
	text   [len(`,"client":"ffff:ffff:ffff::/48","visitor":"0123456789abcdef"`)]byte
}

// appendClient writes the client's address whole if the operator asked for that, else its network and a hash.
func (r *Room) appendClient(b []byte, q *flow.Request, c *clients) []byte {
	var key *dayKey
	if !r.whole {
		key = r.privacy.keyAt(q.Received)
	}
	if key != c.key {
		*c = clients{key: key}
	}
	t := &c.slots[slot(q.Client)]
	if t.addr != q.Client || t.length == 0 {
		t.addr, t.length = q.Client, len(appendClientText(t.text[:0], q.Client, key))
	}
	return append(b, t.text[:t.length]...)
}

// slot is the number of an address's slot.
func slot(addr netip.Addr) uint64 {
	const odd = 0x9e37_79b9_7f4a_7c15 // as in mix
	b := addr.As16()
	x := binary.LittleEndian.Uint64(b[:8])*odd ^ binary.LittleEndian.Uint64(b[8:])
	return x * odd >> (64 - 6) // of 64 slots
}

func appendClientText(b []byte, client netip.Addr, key *dayKey) []byte {
	client = client.Unmap().WithZone("")
	b = append(b, `,"client":"`...)
	if key == nil {
		b = client.AppendTo(b)
		return append(b, '"')
	}
	b = prefixes.Network(client).AppendTo(b)
	b = append(b, `","visitor":"`...)
	b = key.append(b, client)
	return append(b, '"')
}

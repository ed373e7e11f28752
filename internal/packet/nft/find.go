package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

// Find asks the sets that the table asks for an address, which is five questions however much is in them.
func (f *Filter) Find(addr netip.Addr) (found packet.Finding, err error) {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return found, nil
	}
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: f.namespace})
	if err != nil {
		return found, fmt.Errorf("talk to nftables: %w", err)
	}
	defer func() { _ = conn.Close() }()
	for _, family := range families() {
		if family.has(addr) {
			err = f.find(conn, family, addr, &found)
		}
	}
	if err != nil {
		return found, fmt.Errorf("look for %s: %w", addr, err)
	}
	return found, nil
}

func (f *Filter) find(conn *netlink.Conn, family family, addr netip.Addr, found *packet.Finding) (err error) {
	s := f.sets[family.name]
	if found.Allowed, _, err = look(conn, s.allow, addr); err != nil {
		return err
	}
	if found.Denied, _, err = look(conn, s.deny, addr); err != nil {
		return err
	}
	for _, bits := range family.lengths { // the longest first
		prefix := netip.PrefixFrom(addr, bits).Masked()
		banned, left, err := look(conn, s.bans[bits], prefix.Addr())
		if err != nil {
			return err
		}
		if banned {
			found.Banned, found.Until = prefix, time.Now().Add(left)
			return nil
		}
	}
	return nil
}

// look asks for the element of a set that is an address or, of a set of intervals, contains it; and for how long it is there, 0 if that has
// no end.
func look(conn *netlink.Conn, set *nftables.Set, addr netip.Addr) (ok bool, left time.Duration, err error) {
	e := netlink.NewAttributeEncoder()
	e.String(unix.NFTA_SET_ELEM_LIST_TABLE, set.Table.Name)
	e.String(unix.NFTA_SET_ELEM_LIST_SET, set.Name)
	e.Nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(e *netlink.AttributeEncoder) error {
		e.Nested(unix.NFTA_LIST_ELEM, func(e *netlink.AttributeEncoder) error {
			e.Nested(unix.NFTA_SET_ELEM_KEY, func(e *netlink.AttributeEncoder) error {
				e.Bytes(unix.NFTA_DATA_VALUE, addr.AsSlice())
				return nil
			})
			return nil
		})
		return nil
	})
	attributes, err := e.Encode()
	if err != nil {
		return false, 0, err
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETSETELEM, Flags: netlink.Request},
		Data:   append([]byte{byte(set.Table.Family), unix.NFNETLINK_V0, 0, 0}, attributes...),
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, 0, nil
	case err != nil:
		return false, 0, err
	case len(answers) != 1 || len(answers[0].Data) < 4:
		return false, 0, fmt.Errorf("set %s: %d answers: want an element", set.Name, len(answers))
	}
	left, err = expiration(answers[0].Data[4:])
	return true, left, err
}

// expiration reads when the element ends that is in the attributes of an answer.
func expiration(attributes []byte) (left time.Duration, err error) {
	d, err := netlink.NewAttributeDecoder(attributes)
	if err != nil {
		return 0, err
	}
	for d.Next() {
		if d.Type() != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			continue
		}
		d.Nested(func(d *netlink.AttributeDecoder) error {
			for d.Next() {
				d.Nested(func(d *netlink.AttributeDecoder) error {
					d.ByteOrder = binary.BigEndian
					for d.Next() {
						if d.Type() == unix.NFTA_SET_ELEM_EXPIRATION {
							left = time.Duration(d.Uint64()) * time.Millisecond
						}
					}
					return nil
				})
			}
			return nil
		})
	}
	return left, d.Err()
}

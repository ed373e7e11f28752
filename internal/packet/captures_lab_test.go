package packet_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// captures are real floods, which are not ours to ship.
const captures = "../../../shared/data/pcap"

// TestCaptures plays the first half of each real flood, readdressed, and wants what is found to drop the second half, and no visitor's packet.
func TestCaptures(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	files, err := filepath.Glob(filepath.Join(captures, "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Skipf("no captures in %s", captures)
	}
	d := newDetected(t)
	d.learn()
	for _, path := range files {
		frames, err := d.readdressed(path)
		if err != nil || len(frames) < 1000 {
			t.Fatalf("%s: %d packets, %v", path, len(frames), err)
		}
		seen, later := frames[:len(frames)/2], frames[len(frames)/2:]
		d.forget()
		looks := 0
		d.play(seen, func() bool { looks++; return looks > 20 && len(d.detector.Signatures()) > 0 })
		dropped := d.dropped()
		d.send(later, time.Second)
		covered := float64(d.dropped()-dropped) / float64(len(later))
		end := d.looking()
		wrong, visited := d.wrongDrops()
		end()
		t.Logf("%s: %.4f of %d packets dropped, %d of %d of visitors: %s", filepath.Base(path), covered, len(later), wrong, visited, d.texts())
		if covered < 0.9 || wrong > 0 {
			t.Errorf("%s: dropped %.3f of the flood and %d packets of visitors, want 0.9 and none", filepath.Base(path), covered, wrong)
		}
	}
}

// play sends frames at the rate of a flood, again and again, and looks after each 25 ms of them until done.
func (d *detected) play(frames [][]byte, done func() bool) {
	d.Helper()
	const each = floodRate / 40
	for end, i := time.Now().Add(patience), 0; !done(); i += each {
		if time.Now().After(end) {
			d.Fatalf("no signature; %.2f learnt", d.detector.Learnt())
		}
		var some [][]byte
		for j := range each {
			some = append(some, frames[(i+j)%len(frames)])
		}
		d.send(some, 25*time.Millisecond)
		if err := d.detector.Look(time.Now()); err != nil {
			d.Fatal(err)
		}
	}
}

// send sends frames, spread over a time.
func (d *detected) send(frames [][]byte, lasting time.Duration) {
	d.Helper()
	err := d.Attacker.Do(func() error {
		attacker, err := net.InterfaceByName(d.Attacker.Interface)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrLinklayer{Ifindex: attacker.Index}
		for began, i := time.Now(), 0; i < len(frames); {
			if err := unix.Sendto(fd, frames[i], 0, to); err == nil {
				i++
			} else if !errors.Is(err, unix.ENOBUFS) {
				return err
			}
			if early := lasting*time.Duration(i)/time.Duration(len(frames)) - time.Since(began); early > time.Millisecond {
				time.Sleep(early)
			}
		}
		return nil
	})
	if err != nil {
		d.Fatal(err)
	}
}

// readdressed are the IPv4 packets of a capture in the classic format, sent to the server's port, that fit into a frame here.
func (d *detected) readdressed(name string) (frames [][]byte, err error) {
	data, err := os.ReadFile(name)
	if err != nil || len(data) < 24 {
		return nil, err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if binary.BigEndian.Uint32(data) == 0xa1b2c3d4 {
		order = binary.BigEndian
	}
	protocol := byte(unix.IPPROTO_TCP) // of the flood: what else was on the wire is left out
	if strings.HasPrefix(filepath.Base(name), "amp.") && !strings.Contains(name, "TCP") {
		protocol = unix.IPPROTO_UDP
	}
	skip := map[uint32]int{1: 14, 101: 0, 113: 16}[order.Uint32(data[20:])] // link headers
	for data = data[24:]; len(data) >= 16; {
		size := int(order.Uint32(data[8:]))
		if size > len(data)-16 {
			break
		}
		if packet := data[16 : 16+size]; len(packet) >= skip+28 && len(packet) <= skip+1500 && packet[skip]>>4 == 4 && packet[skip+9] == protocol {
			frames = append(frames, d.readdress(packet[skip:]))
		}
		data = data[16+size:]
	}
	return frames, nil
}

func (d *detected) readdress(packet []byte) []byte {
	to, from := d.Server.MAC, d.Attacker.MAC
	frame := append(append(append([]byte{}, to...), from...), 8, 0)
	frame = append(frame, packet...)
	ip := frame[14:]
	at := d.serving[0]
	copy(ip[16:20], at.Addr().AsSlice())
	head := int(ip[0]&15) * 4
	if binary.BigEndian.Uint16(ip[6:])&0x1fff == 0 && (ip[9] == unix.IPPROTO_TCP || ip[9] == unix.IPPROTO_UDP) && len(ip) >= head+4 {
		binary.BigEndian.PutUint16(ip[head+2:], at.Port())
	}
	if source, _ := netip.AddrFromSlice(ip[12:16]); source.IsLoopback() || source.IsUnspecified() {
		copy(ip[12:16], []byte{192, 0, 2, 1})
	}
	return frame
}

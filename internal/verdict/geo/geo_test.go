package geo

import (
	"bytes"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

type record = mmdbtype.Map

// write makes a file of networks and their records.
func write(tb testing.TB, path string, records map[string]record) {
	tb.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "test", RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		tb.Fatal(err)
	}
	for _, network := range slices.Sorted(maps.Keys(records)) { // those within others lie behind them
		r := records[network]
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			tb.Fatal(err)
		}
		if err := tree.Insert(n, r); err != nil {
			tb.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		tb.Fatal(err)
	}
	put(tb, path, b.Bytes())
}

// put replaces a file as programs do that care: by another one.
func put(tb testing.TB, path string, text []byte) {
	tb.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}

func inner(key, value string) record { return record{mmdbtype.String(key): mmdbtype.String(value)} }

// geoLite is a record as MaxMind has it.
func geoLite(country, continent string) record {
	return record{"country": inner("iso_code", country), "continent": inner("code", continent)}
}

func autonomous(n uint32, organization string) record {
	return record{"autonomous_system_number": mmdbtype.Uint32(n), "autonomous_system_organization": mmdbtype.String(organization)}
}

func located(country, continent string, asn uint32, organization string) flow.Location {
	return flow.Location{Country: country, Continent: continent, ASN: asn, ASOrganization: organization}
}

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	countries, systems, both := filepath.Join(dir, "country.mmdb"), filepath.Join(dir, "asn.mmdb"), filepath.Join(dir, "both.mmdb")
	write(t, countries, map[string]record{
		"192.0.2.0/24":    geoLite("DE", "EU"),
		"192.0.2.128/25":  inner("country_code", "fr"), // ip-location-db
		"198.51.100.0/24": {"country": mmdbtype.String("JP"), "continent": mmdbtype.String("AS")},
		"203.0.113.0/24":  inner("country_code", "nowhere"),
		"2001:db8::/32":   geoLite("NZ", "OC"),
	})
	write(t, systems, map[string]record{"192.0.2.0/24": autonomous(64496, "Example"), "2001:db8::/32": autonomous(4200000000, "Long")})
	one := geoLite("DE", "EU")
	one["autonomous_system_number"] = mmdbtype.Uint32(64500)
	write(t, both, map[string]record{"192.0.2.0/24": one})
	tests := []struct {
		name string
		geo  spec.Geo
		addr string
		want flow.Location
	}{
		{"MaxMind", spec.Geo{Country: countries, ASN: systems}, "192.0.2.1", located("DE", "EU", 64496, "Example")},
		{"IPv6", spec.Geo{Country: countries, ASN: systems}, "2001:db8::1", located("NZ", "OC", 4200000000, "Long")},
		{"mapped", spec.Geo{Country: countries}, "::ffff:192.0.2.1", flow.Location{Country: "DE", Continent: "EU"}},
		{"zone", spec.Geo{Country: countries}, "2001:db8::1%eth0", flow.Location{Country: "NZ", Continent: "OC"}},
		{"ip-location-db", spec.Geo{Country: countries}, "192.0.2.200", flow.Location{Country: "FR"}},
		{"IPinfo", spec.Geo{Country: countries}, "198.51.100.1", flow.Location{Country: "JP", Continent: "AS"}},
		{"no two letters", spec.Geo{Country: countries}, "203.0.113.1", flow.Location{Country: "XX"}},
		{"unknown", spec.Geo{Country: countries, ASN: systems}, "10.0.0.1", flow.Location{Country: "XX"}},
		{"one file for both", spec.Geo{Country: both, ASN: both}, "192.0.2.1", located("DE", "EU", 64500, "")},
		{"systems only", spec.Geo{ASN: systems}, "192.0.2.1", flow.Location{ASN: 64496, ASOrganization: "Example"}},
		{"no files", spec.Geo{}, "192.0.2.1", flow.Location{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Room
			if problems := r.Configure(&tt.geo); problems != nil {
				t.Fatal(problems)
			}
			if d := cmp.Diff(tt.want, r.Locate(netip.MustParseAddr(tt.addr))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if got := r.Locate(netip.Addr{}); got != (flow.Location{}) {
				t.Errorf("no address: got %v, want nothing", got)
			}
		})
	}
}

// TestReplaced: a file that is replaced is read again; one that is broken, cut short underneath or gone leaves what was there.
func TestReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "country.mmdb")
	addr := netip.MustParseAddr("192.0.2.1")
	write(t, path, map[string]record{"192.0.2.0/24": geoLite("DE", "EU")})
	var r Room
	configure := func(wantProblem string) {
		t.Helper()
		problems := r.Configure(&spec.Geo{Country: path})
		if wantProblem == "" && problems != nil || wantProblem != "" && (len(problems) != 1 || !strings.Contains(problems[0].Error(), wantProblem)) {
			t.Fatalf("got problems %v, want %q", problems, wantProblem)
		}
	}
	want := func(country string) {
		t.Helper()
		if got := r.Locate(addr).Country; got != country {
			t.Errorf("got %s, want %s", got, country)
		}
	}
	configure("")
	want("DE")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(whole)/2)); err != nil {
		t.Fatal(err)
	}
	want("DE")
	configure("geo.country: " + path)
	want("DE")
	write(t, path, map[string]record{"192.0.2.0/24": geoLite("FR", "EU")})
	configure("")
	want("FR")
	before := r.country.Load()
	configure("")
	if r.country.Load() != before {
		t.Error("the same file was read twice")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	configure("no such file")
	want("FR")
	if problems := r.Configure(&spec.Geo{}); problems != nil {
		t.Fatal(problems)
	}
	want("")
}

// FuzzOpen: a broken file is an error, and one that is accepted can be asked.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "country.mmdb")
	write(f, path, map[string]record{"192.0.2.0/24": geoLite("DE", "EU"), "2001:db8::/32": autonomous(64496, "Example")})
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := open(text)
		if err != nil {
			return
		}
		for _, addr := range []string{"192.0.2.1", "255.255.255.255", "2001:db8::1", "::"} {
			if l := d.locate(netip.MustParseAddr(addr)); len(l.Country) != 0 && len(l.Country) != 2 {
				t.Errorf("%s: got country %q", addr, l.Country)
			}
		}
	})
}

func BenchmarkLocate(b *testing.B) {
	dir := b.TempDir()
	countries, systems := make(map[string]record), make(map[string]record)
	var addrs []netip.Addr
	for i := range 1 << 16 {
		addr := netip.AddrFrom4([4]byte{byte(16 + i>>9), byte(i >> 1), byte(i * 37), 0})
		network := netip.PrefixFrom(addr, 23).Masked().String()
		countries[network], systems[network] = geoLite([]string{"DE", "FR", "NL", "US"}[i&3], "EU"), autonomous(uint32(i%5000), "Example")
		addrs = append(addrs, addr)
	}
	write(b, dir+"/country", countries)
	write(b, dir+"/asn", systems)
	var r Room
	if problems := r.Configure(&spec.Geo{Country: dir + "/country", ASN: dir + "/asn"}); problems != nil {
		b.Fatal(problems)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Locate(addrs[i*7919&(len(addrs)-1)])
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/hello/localca"
	"github.com/seawall/seawall/internal/node"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// protect is the command line of a shield before one origin.
type protect struct {
	URL string `arg:"" help:"The origin: the server to protect, such as http://127.0.0.1:3000 or https://10.0.0.5."`

	Host        []string `help:"Serve only this host; *.example.org for all below it. Repeatable. Default: any host." placeholder:"NAME"`
	HTTP        []string `name:"http" help:"Listen here for HTTP. Default: port 80 if permitted, else 8080. 'off' for none." placeholder:"ADDR"`
	HTTPS       []string `name:"https" help:"Listen here for HTTPS. Default: port 443 if permitted, else 8443. 'off' for none." placeholder:"ADDR"`
	Admin       string   `help:"Listen here for metrics and explain. 'off' for none." default:"127.0.0.1:9901" placeholder:"ADDR"`
	Data        string   `help:"Folder for keys, certificates and logs (${default})." default:"${data}" placeholder:"DIR"`
	Name        string   `help:"This node's name in Via and Cache-Status." default:"seawall"`
	AcmeEmail   string   `name:"acme-email" help:"Obtain trusted certificates (Let's Encrypt) for --host; the authority writes to this address. Visitors are sent to HTTPS." placeholder:"ADDRESS"`
	AcmeServer  string   `name:"acme-directory" help:"Obtain them from this ACME directory." default:"${acme}" placeholder:"URL"`
	AcmeCA      string   `name:"acme-ca" help:"Trust this PEM file's authorities for that directory." placeholder:"FILE" type:"path"`
	Certificate []string `help:"A certificate chain and its key, PEM files. Repeatable. Default: a local authority." placeholder:"CHAIN:KEY"`

	Allow       []string `help:"Never refuse this prefix; @FILE for a file of them. Repeatable." placeholder:"PREFIX" group:"Weeding"`
	Deny        []string `help:"Always refuse this prefix; @FILE for a file of them. Repeatable." placeholder:"PREFIX" group:"Weeding"`
	Limit       string   `help:"Requests of one source (an IPv4 address, an IPv6 /64): such as 50/s, or off." default:"200/s" placeholder:"RATE" group:"Weeding"`
	LimitBurst  int      `help:"Requests of one source at once, on top of its rate." default:"2000" placeholder:"N" group:"Weeding"`
	OriginLimit string   `help:"The same for requests that reach the origin." default:"off" placeholder:"RATE" group:"Weeding"`
	OriginBurst int      `name:"origin-limit-burst" help:"Requests of one source that reach the origin at once, on top of its rate." default:"50" placeholder:"N" group:"Weeding"`
	BusyLimit   string   `help:"The same while the origin's budget is used up, and for 10 seconds after." default:"30/s" placeholder:"RATE" group:"Weeding"`
	BusyBurst   int      `name:"busy-limit-burst" help:"Requests of one source that reach the origin at once then, on top of its rate." default:"300" placeholder:"N" group:"Weeding"`
	DryRun      bool     `help:"Only log what lists and limits would refuse." group:"Weeding"`

	Concurrency  int           `name:"origin-concurrency" help:"Requests at the origin at one time." default:"64" placeholder:"N" group:"Origin"`
	Rate         int           `name:"origin-rate" help:"Requests a second to the origin; 0 for no bound." default:"0" placeholder:"N" group:"Origin"`
	Upgrades     int           `name:"origin-upgrades" help:"WebSockets at the origin at one time." default:"1024" placeholder:"N" group:"Origin"`
	Queue        int           `name:"origin-queue" help:"Requests that may wait for the origin." default:"2048" placeholder:"N" group:"Origin"`
	QueueTimeout time.Duration `name:"origin-queue-timeout" help:"How long a request may wait for its turn." default:"10s" placeholder:"TIME" group:"Origin"`
	Timeout      time.Duration `name:"origin-timeout" help:"How long the origin may take to begin its answer." default:"60s" placeholder:"TIME" group:"Origin"`
	Protocol     string        `name:"origin-protocol" help:"What the origin is spoken to: http/1.1, or h2 for HTTP/2, also without TLS; gRPC needs it." enum:"http/1.1,h2" default:"http/1.1" placeholder:"PROTOCOL" group:"Origin"`
	ClientHeader string        `help:"A further header that tells the origin the visitor's address, such as X-Real-IP." placeholder:"NAME" group:"Origin"`
	OriginCA     string        `name:"origin-ca" help:"Trust this PEM file's authorities for an https origin." placeholder:"FILE" type:"path" group:"Origin"`
	OriginName   string        `name:"origin-name" help:"The name in an https origin's certificate, if it is not its host." placeholder:"NAME" group:"Origin"`
	Insecure     bool          `name:"origin-insecure" help:"Do not verify an https origin's certificate." group:"Origin"`
	Trusted      []string      `name:"trusted-proxy" help:"Believe the X-Forwarded-For of this prefix. Repeatable." placeholder:"PREFIX" group:"Origin"`

	Cache     int64         `name:"cache-size" help:"Memory for the cache in MiB; 0 for no cache." default:"256" placeholder:"MIB" group:"Cache and logs"`
	CacheDisk spec.Size     `name:"cache-disk" help:"Let the cache outlive restarts: as much as this in the data folder, such as 8GiB; 0 for none." default:"0" placeholder:"SIZE" group:"Cache and logs"`
	Survive   time.Duration `help:"Keep copies of the pages that visitors ask for, and serve them while the origin is down, for at most so long; 0 for none." default:"0" placeholder:"TIME" group:"Cache and logs"`
	Log       string        `help:"Access log: a file, - for standard output, off for none. Default: access.log in the data folder." placeholder:"FILE" group:"Cache and logs"`
	Addresses bool          `name:"log-addresses" help:"Log visitors' addresses whole, not their network and a hash." group:"Cache and logs"`
}

// Run serves until it is told to stop.
func (p *protect) Run(ctx context.Context, o output) error {
	log := slog.New(slog.NewTextHandler(o.err, nil))
	s, z, err := p.specs(log)
	if err != nil {
		return usageError{err}
	}
	process, err := node.NewProcess(func(state string) { tell(log, state) })
	if err != nil {
		return err
	}
	n, err := process.Start(ctx, s, []spec.Zone{z}, log)
	if err != nil {
		return err
	}
	p.greet(o.out, n, s)
	if err := reachable(ctx, z.Origin.Servers[0].URL); err != nil {
		log.Warn("the origin does not answer yet; visitors see an error page until it does", "origin", z.Origin.Servers[0].URL, "error", err)
	}
	return keep(ctx, n, log, syscall.SIGUSR1, syscall.SIGUSR2)
}

// specs turns the command line into what the node wants to know. A certificate that can't be read is left out.
func (p *protect) specs(log *slog.Logger) (s spec.Node, z spec.Zone, err error) {
	s, z = spec.DefaultNode(), spec.DefaultZone()
	s.Name, s.Data = p.Name, p.Data
	s.HTTP = listeners(p.HTTP, ":80", ":8080")
	s.HTTPS = listeners(p.HTTPS, ":443", ":8443")
	if s.Admin = p.Admin; s.Admin == "off" {
		s.Admin = ""
	}
	switch p.Log {
	case "":
		s.Log.Path = filepath.Join(p.Data, "access.log")
	case "off":
	default:
		s.Log.Path = p.Log
	}
	s.Log.WholeAddresses = p.Addresses
	s.Cache.Size = spec.Size(p.Cache << 20)
	s.Cache.Object = min(s.Cache.Object, max(s.Cache.Size/4, 1)) // a quarter is the most that one may have
	z.Cache.Enabled = p.Cache > 0
	z.Cache.Survive = p.Survive
	if p.CacheDisk > 0 && z.Cache.Enabled {
		s.Cache.Disk.Path, s.Cache.Disk.Size = filepath.Join(p.Data, "cache"), p.CacheDisk
	}

	z.Name, z.Hosts = "site", p.Host
	if len(z.Hosts) == 0 {
		z.Hosts = []string{spec.AnyHost}
	}
	if z.Origin, err = p.origin(z.Origin); err != nil {
		return s, z, err
	}
	z.Budget.Concurrent = p.Concurrency
	if p.Rate > 0 {
		z.Budget.Rate = spec.Rate{Requests: p.Rate, Per: time.Second, Burst: max(p.Rate/10, 1)}
	}
	z.Budget.Upgrades, z.Budget.Queue, z.Budget.QueueTimeout = p.Upgrades, p.Queue, p.QueueTimeout
	if p.Name == "" {
		return s, z, errors.New("--name: a node needs a name: it stands in Via and Cache-Status")
	}
	if err := p.numbers(); err != nil {
		return s, z, err
	}
	if p.CacheDisk > 0 && p.CacheDisk < store.MinSize {
		return s, z, fmt.Errorf("--cache-disk: %v is too small: want at least %v, or 0", p.CacheDisk, spec.Size(store.MinSize))
	}
	if err := p.weeding(&s, &z); err != nil {
		return s, z, err
	}
	if err := p.acme(&s, &z); err != nil {
		return s, z, err
	}
	s.Certificates, err = p.certificates(log)
	return s, z, err
}

// origin fills o with what was said about the origin.
func (p *protect) origin(o spec.Origin) (spec.Origin, error) {
	url, err := originURL(p.URL)
	if err != nil {
		return o, err
	}
	o.Servers, o.Protocol = spec.OneServer(url), spec.Protocol(p.Protocol)
	o.ClientHeader, o.ResponseTimeout = p.ClientHeader, p.Timeout
	o.TLS.ServerName, o.TLS.Insecure = p.OriginName, p.Insecure
	if p.OriginCA != "" {
		text, err := os.ReadFile(p.OriginCA)
		if err != nil {
			return o, fmt.Errorf("--origin-ca: %w", err)
		}
		o.TLS.CA = spec.PEM(text)
	}
	return o, nil
}

// numbers checks what has to be positive, or at least not negative.
func (p *protect) numbers() error {
	for _, n := range []struct {
		flag         string
		value, least int64
	}{
		{"--limit-burst", int64(p.LimitBurst), 1},
		{"--origin-limit-burst", int64(p.OriginBurst), 1},
		{"--busy-limit-burst", int64(p.BusyBurst), 1},
		{"--origin-concurrency", int64(p.Concurrency), 1},
		{"--origin-rate", int64(p.Rate), 0},
		{"--origin-upgrades", int64(p.Upgrades), 0},
		{"--origin-queue", int64(p.Queue), 0},
		{"--origin-queue-timeout", int64(p.QueueTimeout), 1},
		{"--origin-timeout", int64(p.Timeout), 1},
		{"--cache-size", p.Cache, 0},
		{"--survive", int64(p.Survive), 0},
	} {
		if n.value < n.least {
			return fmt.Errorf("%s: %d is too small: want at least %d", n.flag, n.value, n.least)
		}
	}
	return nil
}

// weeding fills lists and limits.
func (p *protect) weeding(s *spec.Node, z *spec.Zone) (err error) {
	for _, limit := range []struct {
		flag, text string
		burst      int
		into       *spec.Rate
	}{
		{"--limit", p.Limit, p.LimitBurst, &z.Limits.Requests},
		{"--origin-limit", p.OriginLimit, p.OriginBurst, &z.Limits.OriginRequests},
		{"--busy-limit", p.BusyLimit, p.BusyBurst, &z.Limits.OriginRequestsBusy},
	} {
		limit.into.Burst = limit.burst
		if err := limit.into.Parse(limit.text); err != nil {
			return fmt.Errorf("%s: %w", limit.flag, err)
		}
	}
	if p.DryRun {
		z.Action = spec.ActionLog
	}
	for _, list := range []struct {
		flag string
		text []string
		into *[]netip.Prefix
	}{
		{"--allow", p.Allow, &z.Lists.Allow},
		{"--deny", p.Deny, &z.Lists.Deny},
		{"--trusted-proxy", p.Trusted, &s.TrustedProxies},
	} {
		for _, text := range list.text {
			some, err := parsePrefixes(text)
			if err != nil {
				return fmt.Errorf("%s: %w", list.flag, err)
			}
			*list.into = append(*list.into, some...)
		}
	}
	return nil
}

// acme has certificates obtained, and visitors sent to HTTPS.
func (p *protect) acme(s *spec.Node, z *spec.Zone) error {
	if p.AcmeEmail == "" {
		return nil
	}
	if len(p.Host) == 0 {
		return errors.New("--acme-email: say with --host which names certificates are for")
	}
	if len(s.HTTPS) == 0 {
		return errors.New("--acme-email: certificates are of no use with --https off")
	}
	authority := spec.Authority{Directory: p.AcmeServer}
	if p.AcmeCA != "" {
		text, err := os.ReadFile(p.AcmeCA)
		if err != nil {
			return fmt.Errorf("--acme-ca: %w", err)
		}
		authority.CA = spec.PEM(text)
	}
	s.ACME = spec.ACME{Email: p.AcmeEmail, Authorities: []spec.Authority{authority}}
	z.HTTPS.Redirect = true
	return nil
}

func (p *protect) certificates(log *slog.Logger) (read []spec.Certificate, err error) {
	for _, text := range p.Certificate {
		chain, key, ok := strings.Cut(text, ":")
		if !ok {
			return nil, fmt.Errorf("--certificate: %q: want the chain's file and the key's, with a colon between: /etc/site/chain.pem:/etc/site/key.pem", text)
		}
		c, err := spec.LoadCertificate(chain, key)
		if err != nil {
			log.Warn("serving without a certificate", "error", err)
			continue
		}
		read = append(read, c)
	}
	return read, nil
}

// mostPrefixes bounds a file of prefixes.
const mostPrefixes = 1_000_000

// parsePrefixes reads a prefix or address or, after an @, a file of them.
func parsePrefixes(text string) ([]netip.Prefix, error) {
	path, isFile := strings.CutPrefix(text, "@")
	if !isFile {
		prefix, err := prefixes.Parse(text)
		return []netip.Prefix{prefix}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return prefixes.ParseList(path, f, mostPrefixes)
}

// listeners are the addresses given, or the usual port with another one for who may not have it.
func listeners(given []string, usual, otherwise string) (out []spec.Listener) {
	if len(given) == 0 {
		return []spec.Listener{{Address: usual, Otherwise: otherwise}}
	}
	for _, address := range given {
		switch {
		case address == "off":
		case !strings.Contains(address, ":"): // a port alone
			out = append(out, spec.Listener{Address: ":" + address})
		default:
			out = append(out, spec.Listener{Address: address})
		}
	}
	return out
}

// originURL accepts what people write for a server: "3000", "127.0.0.1:3000", "http://127.0.0.1:3000/".
func originURL(text string) (string, error) {
	full := text
	if !strings.Contains(full, "://") {
		if full != "" && strings.Trim(full, "0123456789") == "" {
			full = "127.0.0.1:" + full
		}
		full = "http://" + full
	}
	u, err := url.Parse(full)
	switch {
	case err != nil || u.Hostname() == "":
		return "", fmt.Errorf("%q is no origin: want the server's address, such as http://127.0.0.1:3000", text)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("origin %q: scheme %q is not spoken: want http or https", text, u.Scheme)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "":
		return "", fmt.Errorf("origin %q: want only scheme, host and port, such as %s://%s", text, u.Scheme, u.Host)
	case strings.HasSuffix(u.Host, ":"), u.Port() != "" && !validPort(u.Port()):
		return "", fmt.Errorf("origin %q: %q is no port: want one from 1 to 65535", text, u.Port())
	}
	return u.Scheme + "://" + u.Host, nil
}

func validPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// reachable tries the origin once, for the operator's sake; the node serves either way.
func reachable(ctx context.Context, origin string) error {
	u, err := url.Parse(origin)
	if err != nil {
		return err
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	d := net.Dialer{Timeout: 2 * time.Second}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	return c.Close()
}

// greet says where to look.
func (p *protect) greet(w io.Writer, n *node.Node, s spec.Node) {
	fmt.Fprintf(w, "seawall protects %s\n", p.URL)
	switch {
	case len(s.HTTPS) == 0:
	case s.ACME.Email != "":
		fmt.Fprintf(w, "  certificate  is being obtained for %s; until it is here, a local authority's serves\n", strings.Join(p.Host, ", "))
	case len(s.Certificates) == 0:
		fmt.Fprintf(w, "  certificate  from a local authority, which browsers do not know: trust %s, or give --certificate or --acme-email\n", localca.Path(s.Data))
	}
	greetDoors(w, n)
}

// visible is an address as one would type it.
func visible(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return a.String()
	}
	return net.JoinHostPort("localhost", fmt.Sprint(ap.Port()))
}

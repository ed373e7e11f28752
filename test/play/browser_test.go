package play

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium without a window, with one tab and a profile of its own.
type browser struct {
	ctx    context.Context
	cancel func()

	mu     sync.Mutex
	kept   map[network.RequestID]bool // what came from the browser's own cache
	loaded []string                   // over the network for this page: status, kind, URL, and what Seawall's cache had to do with it
	faults []string                   // what a visitor would call broken
}

// browse drives the browser, which starts when it is needed. What a page loads is on stdout. A page that does not load whole, or of
// which the console tells an error, fails the command.
func browse(p *play, args []string) error {
	if len(args) == 1 && args[0] == "leave" {
		if p.browser == nil {
			return errors.New("there is no browser")
		}
		p.browser.cancel()
		p.browser = nil
		return nil
	}
	if p.browser == nil {
		if err := p.openBrowser(); err != nil {
			return err
		}
	}
	b := p.browser
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := b.do(ctx, args); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintln(p.Stdout(), strings.Join(b.loaded, "\n"))
	if len(b.faults) > 0 {
		return errors.New(strings.Join(b.faults, "\n"))
	}
	return nil
}

// openBrowser opens a browser that visits nobody but the node, which has all names below .test, with its local authority.
func (p *play) openBrowser() error {
	program, err := p.find("chromium")
	if err != nil {
		return err
	}
	rules := "MAP *.test:80 " + p.Getenv("HTTP") + ", MAP *.test:443 " + p.Getenv("TLS") + ", MAP * ~NOTFOUND"
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", rules),
	)
	if p.Getenv("TLS") != "" {
		key, err := p.verify("wiki.test")
		if err != nil {
			return err
		}
		options = append(options, chromedp.Flag("ignore-certificate-errors-spki-list", key))
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	b := &browser{kept: make(map[network.RequestID]bool)}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	b.ctx, _ = chromedp.NewContext(allocator)
	b.cancel = func() {
		chromedp.Cancel(b.ctx)
		stop()
	}
	p.browser = b
	return chromedp.Listen(b.ctx, b.note)
}

// verify verifies a host's certificate with the node's local authority, and returns the hash of its key, which is how Chromium can
// be told to trust it.
func (p *play) verify(host string) (string, error) {
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM([]byte(p.ReadFile("data/ca.pem")))
	c, err := tls.Dial("tcp", p.Getenv("TLS"), &tls.Config{ServerName: host, RootCAs: authorities})
	if err != nil {
		return "", err
	}
	defer c.Close()
	key := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(key[:]), nil
}

func (b *browser) do(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1:
		b.turnPage()
		return chromedp.Do(ctx, chromedp.Navigate(args[0]))
	case len(args) == 2 && args[0] == "follow":
		b.turnPage()
		_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(args[1]), chromedp.NodeVisible))
		return err
	case len(args) == 3 && args[0] == "type":
		return chromedp.Do(ctx, chromedp.SendKeys(chromedp.CSS(args[1]), args[2], chromedp.NodeVisible))
	case len(args) == 2 && args[0] == "sees":
		return b.sees(ctx, args[1])
	}
	return errUsage
}

// sees waits until a text can be read on the page.
func (b *browser) sees(ctx context.Context, pattern string) error {
	want, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	text := ""
	err = until("the browser shows "+pattern, func() bool {
		text, err = chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		return err != nil || want.MatchString(text)
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, text)
	}
	return nil
}

func (b *browser) turnPage() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loaded = nil
}

// note notes an event of the tab.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestServedFromCache:
		b.kept[e.RequestID] = true
	case *network.EventResponseReceived:
		b.noteResponse(e)
	case *network.EventLoadingFailed:
		if !e.Canceled {
			b.faults = append(b.faults, fmt.Sprintf("%s did not load: %s", e.Type, e.ErrorText))
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, fmt.Sprintf("exception: %s at %s", e.ExceptionDetails.Text, e.ExceptionDetails.URL))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.faults = append(b.faults, fmt.Sprintf("console: %s at %s", e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			b.faults = append(b.faults, "console.error was called")
		}
	}
}

// noteResponse notes what came over the network; b.mu is held.
func (b *browser) noteResponse(e *network.EventResponseReceived) {
	if e.Response.FromDiskCache || b.kept[e.RequestID] || strings.HasPrefix(e.Response.URL, "data:") {
		return
	}
	line := fmt.Sprintf("%d %s %s", e.Response.Status, e.Type, e.Response.URL)
	for name, value := range e.Response.Headers {
		if strings.EqualFold(name, "Cache-Status") {
			line += fmt.Sprint(" ", value)
		}
	}
	b.loaded = append(b.loaded, line)
	if e.Response.Status >= http.StatusBadRequest {
		b.faults = append(b.faults, line)
	}
}

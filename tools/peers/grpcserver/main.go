// Command grpcserver is the server of grpc-go's interoperability tests on an address of the caller's choice; grpc-go's own program
// would listen on all that the machine has.
//
//	grpcserver ADDRESS [CERTIFICATE KEY]
//
// It speaks HTTP/2 with prior knowledge, or TLS with the certificate and key of two PEM files, until it is killed. It does what its
// clients ask for, whatever that costs, and so is for loopback only. It ends with status 1 and a message if it can't listen.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "grpcserver:", err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	var options []grpc.ServerOption
	switch len(args) {
	case 1:
	case 3:
		c, err := credentials.NewServerTLSFromFile(args[1], args[2])
		if err != nil {
			return fmt.Errorf("load the certificate: %w", err)
		}
		options = append(options, grpc.Creds(c))
	default:
		return errors.New("want ADDRESS [CERTIFICATE KEY]")
	}
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	server := grpc.NewServer(options...)
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	return server.Serve(l)
}

package rpc

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Raw is a message in the bytes that it has on the wire: for a service that passes messages on, and for who reads them
// without the generated code. It is sent and received with SendMsg and RecvMsg of a stream.
type Raw struct {
	// Bytes of the message. Those that were received are the receiver's; those that are sent must not be changed any more.
	Bytes []byte
}

// codec is gRPC's own for messages of protobuf, and leaves Raw as it is. It is the same on the wire.
type codec struct{ encoding.CodecV2 }

var _ encoding.CodecV2 = codec{}

// ReadsRaw lets a call send and receive Raw, whatever its connection was made with.
func ReadsRaw() grpc.CallOption { return grpc.ForceCodecV2(newCodec()) }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Marshal gives the bytes of a message.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(*Raw); ok {
		return mem.BufferSlice{mem.SliceBuffer(r.Bytes)}, nil
	}
	out, err := c.CodecV2.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write message: %w", err)
	}
	return out, nil
}

// Unmarshal reads a message.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*Raw); ok {
		r.Bytes = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

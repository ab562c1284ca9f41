module eci-cache-gateway.dev/client

go 1.24

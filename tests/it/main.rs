mod signing_v1;

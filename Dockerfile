# syntax=docker/dockerfile:1
# Two images: docker build --target smsc-operator . and docker build --target smsc-frontend .
# charts/images makes images of the same layout without Docker.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked -p smsc-operator -p smsc-frontend \
    && mkdir /out \
    && for program in smsc-operator smsc-frontend; do strip --strip-debug -o "/out/$program" "target/release/$program"; done

# glibc, libgcc and CA certificates of the same Debian release; no shell. Its user nonroot is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot AS smsc-operator
COPY --from=build /out/smsc-operator /bin/
USER 65532:65532
ENTRYPOINT ["/bin/smsc-operator"]

FROM gcr.io/distroless/cc-debian12:nonroot AS smsc-frontend
COPY --from=build /out/smsc-frontend /bin/
USER 65532:65532
ENTRYPOINT ["/bin/smsc-frontend"]

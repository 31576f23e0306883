#!/usr/bin/env python3
"""fill_s3.py ENDPOINT KEY SECRET FOLDER: the folder into the bucket "bucket", with boto3; a file of
more than 8 MB in parts, so that its etag is no MD5."""
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

endpoint, key, secret, folder = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
                  region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
s3.create_bucket(Bucket="bucket")
for d, _, files in os.walk(folder):
    for f in files:
        path = os.path.join(d, f)
        s3.upload_file(path, "bucket", os.path.relpath(path, folder),
                       Config=TransferConfig(multipart_threshold=8 << 20,
                                             multipart_chunksize=8 << 20))
